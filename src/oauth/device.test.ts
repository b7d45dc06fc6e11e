import { afterEach, expect, test } from "bun:test";
import { VirtualClock } from "../../test/support/virtual-clock.ts";
import { type DeviceCode, signInByDevice } from "./device.ts";
import type { SignedIn } from "./login.ts";
import { IssuerError, type IssuerSite } from "./token-endpoint.ts";

interface Call {
  readonly path: string;
  readonly type: string | null;
  readonly body: string;
}

type Script = Readonly<Record<string, readonly (() => Response)[]>>;

const json =
  (body: unknown, status = 200) =>
  (): Response =>
    Response.json(body, { status });
const CODE = json({ device_auth_id: "device-1", user_code: "ABCD-1234", interval: "5" });
const WAIT = json({ error: "authorization_pending" }, 403);
const APPROVED = json({ authorization_code: "the-code", code_challenge: "c", code_verifier: "the-verifier" });
const TOKENS = (): Response =>
  Response.json({ access_token: "the-access", refresh_token: "the-refresh", expires_in: 60 });

let cleanUp: () => Promise<void> = async () => {};
afterEach(() => cleanUp());

/** An issuer that answers each path with its script, the last answer again and again. */
function start(script: Script): { site: IssuerSite; calls: Call[] } {
  const calls: Call[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const path = new URL(request.url).pathname;
      calls.push({ path, type: request.headers.get("content-type"), body: await request.text() });
      const answers = script[path.split("/").slice(-2).join("/")] ?? [];
      const nth = calls.filter((call) => call.path === path).length - 1;
      return (answers[nth] ?? answers.at(-1))?.() ?? new Response("?", { status: 500 });
    },
  });
  cleanUp = () => server.stop(true);
  return { site: { issuer: `http://127.0.0.1:${server.port}`, clientId: "client", proxy: undefined }, calls };
}

interface Run {
  readonly waits: number[];
  readonly codes: DeviceCode[];
  readonly result: SignedIn | IssuerError;
}

/** Runs it to its end. Time stands still during calls, whose limit is 30 s, and jumps over the waits between them. */
async function run(
  site: IssuerSite,
  clock = new VirtualClock(),
  signal = new AbortController().signal,
): Promise<Run> {
  const waits: number[] = [];
  const codes: DeviceCode[] = [];
  const ends: (SignedIn | IssuerError)[] = [];
  const fail = (error: unknown): void => {
    if (!(error instanceof IssuerError)) throw error;
    ends.push(error);
  };
  void signInByDevice(site, { clock, signal, onCode: (code) => codes.push(code) })
    .then((login) => ends.push(login))
    .catch(fail);
  for (;;) {
    const [result] = ends;
    if (result !== undefined) return { waits, codes, result };
    await Bun.sleep(1);
    const ms = (clock.next ?? Infinity) - clock.now();
    if (ms >= 30_000) continue;
    waits.push(ms);
    clock.advance(ms);
  }
}

test("shows the code, waits while nobody has typed it, and exchanges what it gets", async () => {
  const { site, calls } = start({
    "deviceauth/usercode": [CODE],
    "deviceauth/token": [WAIT, json({}, 404), WAIT, APPROVED],
    "oauth/token": [TOKENS],
  });
  const clock = new VirtualClock();
  const began = clock.wall();
  const { waits, codes, result } = await run(site, clock);
  expect(codes).toEqual([
    { url: `${site.issuer}/codex/device`, userCode: "ABCD-1234", expiresAt: began + 900_000 },
  ]);
  expect(waits).toEqual([5_000, 5_000, 5_000, 5_000]);
  expect(result).toMatchObject({
    source: "device",
    clientId: "client",
    issuer: site.issuer,
    tokens: { access: "the-access", refresh: "the-refresh" },
  });
  expect(calls[0]).toMatchObject({ path: "/api/accounts/deviceauth/usercode", type: "application/json" });
  expect(JSON.parse(calls[0]?.body ?? "")).toEqual({ client_id: "client" });
  expect(JSON.parse(calls[1]?.body ?? "")).toEqual({ device_auth_id: "device-1", user_code: "ABCD-1234" });
  const form = new URLSearchParams(calls.at(-1)?.body);
  expect(Object.fromEntries(form)).toEqual({
    grant_type: "authorization_code",
    client_id: "client",
    code: "the-code",
    redirect_uri: `${site.issuer}/deviceauth/callback`,
    code_verifier: "the-verifier",
  });
  expect(clock.pending).toBe(0);
});

test.each([
  ["12", 12_000],
  [3, 3_000],
  ["", 5_000],
  ["soon", 5_000],
  [0, 5_000],
  [-1, 5_000],
  [undefined, 5_000],
])("an interval of %j is %d ms", async (interval, ms) => {
  const { site } = start({
    "deviceauth/usercode": [json({ device_auth_id: "d", user_code: "U", interval })],
    "deviceauth/token": [json({}, 400)],
  });
  expect((await run(site)).waits).toEqual([ms]);
});

test("`usercode` is another name of the code", async () => {
  const { site } = start({
    "deviceauth/usercode": [json({ device_auth_id: "d", usercode: "OTHER" })],
    "deviceauth/token": [json({}, 400)],
  });
  expect((await run(site)).codes[0]?.userCode).toBe("OTHER");
});

test("what is amiss at the issuer may pass; too many questions make it slower", async () => {
  const { site } = start({
    "deviceauth/usercode": [CODE],
    "deviceauth/token": [json({}, 500), json({}, 429), WAIT, APPROVED],
    "oauth/token": [TOKENS],
  });
  const { waits, result } = await run(site);
  expect(waits).toEqual([5_000, 5_000, 10_000, 10_000]);
  expect(result).not.toBeInstanceOf(IssuerError);
});

test("gives up after 15 minutes", async () => {
  const { site, calls } = start({ "deviceauth/usercode": [CODE], "deviceauth/token": [WAIT] });
  const { waits, result } = await run(site);
  expect(waits.reduce((sum, ms) => sum + ms, 0)).toBe(900_000);
  expect(result).toMatchObject({ reason: "nobody typed the code in time" });
  expect(calls).toHaveLength(180);
});

test.each([
  ["offers no sign-in by code", [json({}, 404)], [WAIT]],
  ["gave no code", [json({}, 503)], [WAIT]],
  ["gave no code", [json({ user_code: "U" })], [WAIT]],
  ["gave no code", [(): Response => new Response("<html>")], [WAIT]],
  ["gave no code", [(): Response => Response.redirect("http://127.0.0.1:9/")], [WAIT]],
  ["refused the sign-in (status 401)", [CODE], [json({ error: "expired" }, 401)]],
  ["refused the sign-in (status 302)", [CODE], [(): Response => Response.redirect("http://127.0.0.1:9/")]],
  ["no authorization code", [CODE], [json({ authorization_code: "the-code" })]],
])("says when the issuer %s", async (words, usercode, token) => {
  const { site } = start({ "deviceauth/usercode": usercode, "deviceauth/token": token });
  const { result } = await run(site);
  expect(result).toBeInstanceOf(IssuerError);
  expect(result instanceof IssuerError ? result.reason : "").toContain(words);
  expect(result instanceof IssuerError ? result.reason : "").not.toContain("the-code");
});

test("an issuer that cannot be reached is told at once", async () => {
  const { site } = start({});
  await cleanUp();
  const { result } = await run(site);
  expect(result).toMatchObject({ kind: "passing" });
});

test("giving up ends the wait and leaves no timer", async () => {
  const { site } = start({ "deviceauth/usercode": [CODE], "deviceauth/token": [WAIT] });
  const clock = new VirtualClock();
  const abort = new AbortController();
  const given = signInByDevice(site, { clock, signal: abort.signal, onCode: () => abort.abort() });
  await expect(given).rejects.toThrow("given up");
  expect(clock.pending).toBe(0);
});
