// A sign-in as a person has it: Chromium, an issuer with a page of consent, and every page read as a browser shows it.
// SCREENSHOTS=FOLDER keeps pictures of the pages.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { CLIENT_ID, ELSEWHERE, FIRST, startRig, type LoginRig, type RigOptions } from "../http/login-rig.ts";
import { type Issuer, PERSON, startIssuer } from "../support/issuer.ts";
import { closedPort } from "../support/ports.ts";

setDefaultTimeout(60_000);

const PATHS = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/lib/chromium/chromium",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/snap/bin/chromium",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];
/** A name that is not localhost: browsers trust it less, and send fewer headers. */
const PUBLIC_HOST = "gateway.example";

let browser: Browser;

beforeAll(async () => {
  const executablePath = PATHS.find((path) => existsSync(path));
  if (executablePath === undefined)
    throw new Error(
      `these tests need a browser: install Debian's package "chromium" (looked for ${PATHS.join(", ")})`,
    );
  browser = await chromium.launch({
    executablePath,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      `--host-resolver-rules=MAP ${PUBLIC_HOST} 127.0.0.1`,
    ],
  });
});
afterAll(() => browser?.close());

interface Scene extends AsyncDisposable {
  readonly rig: LoginRig;
  readonly issuer: Issuer;
  readonly context: BrowserContext;
  readonly page: Page;
  /** What the browser complained of, by its console or by a script's error. */
  readonly complaints: string[];
}

async function scene(options: RigOptions = {}, scheme: "light" | "dark" = "light"): Promise<Scene> {
  const issuer = await startIssuer({ settings: { consent: "page" } });
  const rig = startRig({ site: { issuer: issuer.url, clientId: CLIENT_ID, proxy: undefined }, ...options });
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width: 900, height: 800 } });
  const complaints: string[] = [];
  context.on("console", (message) => {
    const ours = !message.location().url.startsWith(issuer.url);
    if (ours && ["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  context.on("weberror", (error) => complaints.push(String(error.error())));
  context.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return {
    rig,
    issuer,
    context,
    page: await context.newPage(),
    complaints,
    async [Symbol.asyncDispose]() {
      await context.close();
      await rig[Symbol.asyncDispose]();
      await issuer.close();
    },
  };
}

async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env["SCREENSHOTS"];
  if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`) });
}

/** The page's style is in force, so its policy admits it: the card has an edge. */
async function expectStyled(page: Page): Promise<void> {
  expect(await page.evaluate(`getComputedStyle(document.querySelector("main")).borderTopWidth`)).toBe("1px");
}

const allow = (page: Page): Promise<void> => page.getByRole("link", { name: /allow/i }).click();

for (const scheme of ["light", "dark"] as const)
  test(`a person signs in with the browser of the gateway's machine (${scheme})`, async () => {
    await using all = await scene({}, scheme);
    const { page, rig, issuer, complaints } = all;
    await page.goto(`${rig.url}/auth/login?account=account`);
    expect(page.url()).toStartWith(`${issuer.url}/oauth/authorize?`);
    await allow(page);
    await page.getByRole("heading", { name: "Signed in" }).waitFor();
    await picture(page, `signed-in-${scheme}`);
    await expectStyled(page);
    expect(await page.locator("main").innerText()).toContain(PERSON.email);
    expect(rig.kept.map(([account, { identity }]) => [account, identity.accountId])).toEqual([
      ["account", PERSON.accountId],
    ]);
    expect(complaints).toEqual([]);
    expect(issuer.ledger.authorizations.flatMap(({ problems }) => problems)).toEqual([]);
    const shown = (await page.content()) + JSON.stringify(rig.lines);
    expect(issuer.secrets().filter((secret) => shown.includes(secret))).toEqual([]);
  });

for (const answer of ["no", "yes"] as const)
  test(`a person who signs in as somebody else is asked, and answers ${answer}`, async () => {
    await using all = await scene({ identity: FIRST }, answer === "no" ? "dark" : "light");
    const { page, rig, complaints } = all;
    await page.goto(`${rig.url}/auth/login?account=account`);
    await allow(page);
    await page.getByRole("heading", { name: "Another identity" }).waitFor();
    await picture(page, `question-${answer}`);
    expect(rig.kept).toHaveLength(0);
    await page.getByRole("button", { name: answer === "yes" ? /^Yes/ : /^No/ }).click();
    await page
      .getByRole("heading", { name: answer === "yes" ? "Signed in" : "Everything is as it was" })
      .waitFor();
    await picture(page, `answered-${answer}`);
    expect(rig.kept).toHaveLength(answer === "yes" ? 1 : 0);
    expect(complaints).toEqual([]);
  });

test("a person whose browser is elsewhere pastes the address of the error page", async () => {
  await using all = await scene({ callbackPort: await closedPort() });
  const { page, context, rig, issuer } = all;
  rig.peer = ELSEWHERE;
  const { port } = new URL(rig.url);
  rig.publicUrl = `http://${PUBLIC_HOST}:${port}`;
  const ticket = rig.tickets.issue("account");
  await page.goto(`${rig.publicUrl}/auth/login?account=account&ticket=${ticket}`);
  await expectStyled(page);
  await picture(page, "paste");
  const popup = context.waitForEvent("page");
  await page.getByRole("link", { name: "Open the sign-in page" }).click();
  const tab = await popup;
  const failed = tab.waitForEvent("requestfailed", (request) => request.url().includes("/auth/callback"));
  await allow(tab);
  const address = (await failed).url();
  await tab.close();
  // First something useless, as it happens.
  await page.getByLabel("The whole address").fill("http://localhost/");
  await page.getByRole("button", { name: "Finish signing in" }).click();
  await page.getByRole("alert").waitFor();
  await picture(page, "paste-useless");
  await page.getByLabel("The whole address").fill(address);
  await page.getByRole("button", { name: "Finish signing in" }).click();
  await page.getByRole("heading", { name: "Signed in" }).waitFor();
  expect(rig.kept.map(([, { source }]) => source)).toEqual(["paste"]);
  const shown = (await page.content()) + JSON.stringify(rig.lines);
  expect(issuer.secrets().filter((secret) => shown.includes(secret))).toEqual([]);
});

test("a denial with markup in its words runs nothing and shows the words", async () => {
  await using all = await scene();
  const { page, rig, issuer, complaints } = all;
  const description = `<img src=x onerror="alert(1)"><script>alert(2)</script></p></main>You are signed in`;
  issuer.settings.denial = { error: "access_denied", description };
  issuer.settings.consent = "deny";
  await page.goto(`${rig.url}/auth/login?account=account`);
  await page.getByRole("heading", { name: "Not signed in" }).waitFor();
  await picture(page, "denied");
  expect(await page.locator("blockquote").innerText()).toBe(`access_denied: ${description}`);
  expect(await page.locator("img, script").count()).toBe(0);
  expect(complaints.filter((each) => !each.includes("400"))).toEqual([]);
});

test("a busy port is told with a way out that works", async () => {
  const holder = Bun.serve({ hostname: "127.0.0.1", port: 0, reusePort: false, fetch: () => new Response() });
  try {
    await using all = await scene({ callbackPort: holder.port ?? 0, names: ["my work account"] });
    const { page, rig } = all;
    await page.goto(`${rig.url}/auth/login?account=my%20work%20account`);
    await page.getByRole("heading", { name: `Port ${holder.port} is busy` }).waitFor();
    await picture(page, "port-busy");
    await page.getByRole("link", { name: "Paste the address" }).click();
    await page.getByRole("heading", { name: "Sign my work account in" }).waitFor();
  } finally {
    await holder.stop(true);
  }
});

test("another site's page opens no sign-in", async () => {
  await using all = await scene();
  const { page, rig } = all;
  const site = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () =>
      new Response(`<a href="${rig.url}/auth/login?account=account">go</a>`, {
        headers: { "content-type": "text/html" },
      }),
  });
  try {
    // Under the other name, so that it is another site.
    await page.goto(`http://${PUBLIC_HOST}:${site.port}/`);
    await page.getByRole("link", { name: "go" }).click();
    await page.getByRole("heading", { name: "Not allowed" }).waitFor();
    await picture(page, "not-allowed");
    expect(rig.clock.pending).toBe(0);
  } finally {
    await site.stop(true);
  }
});
