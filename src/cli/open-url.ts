// Opens an address in the browser of whoever sits at this machine.

import { spawn } from "node:child_process";
import process from "node:process";

/** The system's own opener: no shell, which would read the `&` of an address. */
function openerOf(platform: string): readonly [string, ...string[]] {
  if (platform === "darwin") return ["open"];
  if (platform === "win32") return ["rundll32", "url.dll,FileProtocolHandler"];
  return ["xdg-open"];
}

/** False when there is nothing to open it with. */
export function openInBrowser(url: string): Promise<boolean> {
  const [command, ...args] = openerOf(process.platform);
  return new Promise((resolve) => {
    const child = spawn(command, [...args, url], { stdio: "ignore", detached: true });
    child.once("error", () => resolve(false));
    child.once("spawn", () => {
      child.unref();
      resolve(true);
    });
  });
}
