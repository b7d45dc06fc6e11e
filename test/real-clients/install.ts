// Puts the clients into a temporary folder by npm, in the versions this suite was written for. Kept between runs.
import { existsSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import versions from "./versions.json" with { type: "json" };

export type ClientName = keyof typeof versions;
export const CLIENTS = Object.keys(versions) as readonly ClientName[];

/** The version, and the program or why there is none. */
export interface Installed {
  readonly version: string;
  readonly program: string | undefined;
  readonly reason: string;
}

const INSTALL_MS = 300_000;

export async function install(name: ClientName): Promise<Installed> {
  const { package: packed, version } = versions[name];
  const folder = join(tmpdir(), `sub2api-clients-${name}-${version}`);
  const program = join(folder, "node_modules", ".bin", name);
  if (!existsSync(program)) {
    mkdirSync(folder, { recursive: true });
    const child = Bun.spawn(
      ["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, `${packed}@${version}`],
      { stdout: "ignore", stderr: "pipe", timeout: INSTALL_MS },
    );
    const told = await new Response(child.stderr).text();
    if ((await child.exited) !== 0)
      return { version, program: undefined, reason: told.trim().split("\n")[0] ?? "npm failed" };
  }
  const found = existsSync(program);
  return { version, program: found ? program : undefined, reason: found ? "" : "npm brought no program" };
}
