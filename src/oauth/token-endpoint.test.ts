import { describe, expect, test } from "bun:test";
import { oauthError } from "../../test/support/issuer-scripts.ts";
import { startIssuer } from "../../test/support/issuer.ts";
import { VirtualClock } from "../../test/support/virtual-clock.ts";
import { IssuerError, requestTokens } from "./token-endpoint.ts";

const CLOCK = new VirtualClock(Math.floor(Date.now() / 1_000) * 1_000);
const DAY = 86_400_000;

interface Served {
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status?: number;
}

/** Asks an issuer that answers with this; what it was asked, and the grant or the error. */
async function ask(served: Served, clock = CLOCK) {
  const requests: { readonly url: string; readonly headers: Headers; readonly body: string }[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      requests.push({ url: request.url, headers: request.headers, body: await request.text() });
      return new Response(served.body, { status: served.status ?? 200, headers: { ...served.headers } });
    },
  });
  const site = { issuer: `http://127.0.0.1:${server.port}`, clientId: "client", proxy: undefined };
  const parameters = { grant_type: "refresh_token", refresh_token: "secret one" };
  const [result] = await Promise.allSettled([requestTokens(site, parameters, clock)]);
  await server.stop(true);
  const grant = result.status === "fulfilled" ? result.value : undefined;
  const error = result.status === "rejected" ? (result.reason as unknown) : undefined;
  return { requests, grant, error };
}

function jwt(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "none" })}.${part(claims)}.x`;
}

async function endOf(answer: object, headers: Record<string, string> = {}): Promise<number | undefined> {
  const { grant } = await ask({ body: JSON.stringify({ access_token: "opaque", ...answer }), headers });
  return grant && grant.tokens.expiresAt - CLOCK.wall();
}

describe("asking for tokens", () => {
  test("takes a connection of its own, which nobody can have closed meanwhile", async () => {
    const ports = new Set<number | undefined>();
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request, { requestIP }) {
        ports.add(requestIP.call(server, request)?.port);
        return Response.json({ access_token: "a" });
      },
    });
    const site = { issuer: `http://127.0.0.1:${server.port}`, clientId: "client", proxy: undefined };
    for (let n = 0; n < 5; n++) await requestTokens(site, {}, CLOCK);
    expect(ports.size).toBe(5);
    await server.stop(true);
  });

  test("posts a form, once, under our own name", async () => {
    const { requests } = await ask({ body: '{"access_token":"a"}' });
    expect(requests.map(({ url, body }) => [new URL(url).pathname, body])).toEqual([
      ["/oauth/token", "grant_type=refresh_token&refresh_token=secret+one"],
    ]);
    const [first] = requests;
    expect(first?.headers.get("content-type")).toBe("application/x-www-form-urlencoded");
    expect(first?.headers.get("user-agent")).toStartWith("sub2api_simple/");
  });

  test("reads how long a token lives in every way that is told, and ten minutes otherwise", async () => {
    const exp = CLOCK.wall() / 1_000 + 7_200;
    expect(await endOf({ expires_in: 3_600 })).toBe(3_600_000);
    expect(await endOf({ expires_in: "3600" })).toBe(3_600_000);
    expect(await endOf({ expires_in: 3_600, access_token: jwt({ exp }) })).toBe(3_600_000);
    for (const useless of [0, -5, "soon", null, 1e300, true])
      expect(await endOf({ expires_in: useless, access_token: jwt({ exp }) })).toBe(7_200_000);
    expect(await endOf({})).toBe(600_000);
    expect(await endOf({ access_token: "a.b.c" })).toBe(600_000);
  });

  test("takes a JWT's end by the issuer's clock, however wrong ours is", async () => {
    for (const off of [-DAY, DAY]) {
      const date = CLOCK.wall() + off;
      const access = jwt({ exp: date / 1_000 + 3_600 });
      expect(await endOf({ access_token: access }, { date: new Date(date).toUTCString() })).toBe(3_600_000);
    }
    // Without that a token which seems to have run out would be renewed again and again.
    const past = jwt({ exp: CLOCK.wall() / 1_000 - 3_600 });
    const now = new Date(CLOCK.wall()).toUTCString();
    expect(await endOf({ access_token: past }, { date: now })).toBe(600_000);
  });

  test("knows what is final, and takes everything else for passing", async () => {
    const rows: [Served, string, string][] = [
      [{ status: 400, body: '{"error":"invalid_grant"}' }, "final", "invalid_grant"],
      [{ status: 401, body: '{"error":{"code":"refresh_token_reused"}}' }, "final", "used before"],
      [{ status: 401, body: '{"code":"refresh_token_revoked"}' }, "final", "revoked"],
      [{ status: 503, body: '{"error":"invalid_grant"}' }, "passing", "status 503, invalid_grant"],
      [{ status: 400, body: '{"error":"invalid_client"}' }, "passing", "status 400, invalid_client"],
      [{ status: 400, body: '{"error":"constructor"}' }, "passing", "status 400, constructor"],
      [{ status: 403, body: "<html>secret one</html>" }, "passing", "status 403"],
      [{ status: 400, body: '{"error":"Secret One!"}' }, "passing", "(status 400)"],
      [{ body: `{"access_token":"${"x".repeat(1_100_000)}"}` }, "passing", "too large"],
      [{ body: '{"access_token":""}' }, "passing", "no tokens"],
    ];
    for (const [served, kind, words] of rows) {
      const { error, requests } = await ask(served);
      if (!(error instanceof IssuerError)) throw new Error(`no error for ${served.body.slice(0, 40)}`);
      expect([error.kind, error.reason, error.reached]).toEqual([
        kind as never,
        expect.stringContaining(words),
        true,
      ]);
      expect(error.reason.toLowerCase()).not.toContain("secret");
      expect(requests).toHaveLength(1);
    }
  });

  test("goes through the account's proxy, and not around it when that is down", async () => {
    await using issuer = await startIssuer();
    const seeded = issuer.seed();
    const targets: string[] = [];
    const proxy = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request) {
        targets.push(request.url);
        return Response.json({ access_token: "by proxy" });
      },
    });
    const site = { issuer: issuer.url, clientId: "client", proxy: `http://127.0.0.1:${proxy.port}` };
    const parameters = { grant_type: "refresh_token", client_id: "client", refresh_token: seeded.refresh };
    const grant = await requestTokens(site, parameters, CLOCK);
    expect([grant.tokens.access, targets]).toEqual(["by proxy", [`${issuer.url}/oauth/token`]]);
    await proxy.stop(true);
    await expect(requestTokens(site, parameters, CLOCK)).rejects.toThrow("cannot be reached");
    expect(issuer.ledger.posts).toEqual([]);
  });

  test("says of a refusal what an issuer in bad health says", async () => {
    await using issuer = await startIssuer();
    issuer.script({ answer: oauthError("temporarily_unavailable", "secret words", 503) });
    const site = { issuer: issuer.url, clientId: "client", proxy: undefined };
    const request = requestTokens(site, { grant_type: "refresh_token", refresh_token: "x" }, CLOCK);
    await expect(request).rejects.toThrow(
      /^the issuer answered with an error \(status 503, temporarily_unavailable\)$/,
    );
  });
});
