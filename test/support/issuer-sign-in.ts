// Signing in at the scripted issuer: the consent of `/oauth/authorize`, and the device flow with its page.

import { answerByScript, escapeHtml, page, redirectTo, reply } from "./issuer-answer.ts";
import { challengeOf, randomText } from "./issuer-tokens.ts";
import type { TokenDesk } from "./issuer-token-endpoint.ts";
import type { AuthorizeRequest, Consent, IssuerAccount, IssuerStep } from "./issuer-types.ts";
import { parseJson, pickText } from "./json-pick.ts";
import type { Answer, UpstreamRequest } from "./upstream.ts";

const CODE_LIFETIME_MS = 60_000;
const DEVICE_LIFETIME_MS = 15 * 60_000;

interface Device {
  readonly userCode: string;
  readonly clientId: string;
  readonly expiresAt: number;
  account: IssuerAccount | undefined;
  /** What the poll that found it approved was told. */
  told: boolean;
}

export class SignIn {
  readonly authorizations: AuthorizeRequest[] = [];
  /** Requests whose user looks at the page, by a name that means nothing to others. */
  readonly #pages = new Map<string, URLSearchParams>();
  readonly #devices = new Map<string, Device>();
  readonly #desk: TokenDesk;
  readonly #url: () => string;

  constructor(desk: TokenDesk, url: () => string) {
    this.#desk = desk;
    this.#url = url;
  }

  /** `GET /oauth/authorize` */
  authorize(request: UpstreamRequest): Answer {
    const query = queryOf(request);
    const problems = this.#problems(query);
    this.authorizations.push({ parameters: Object.fromEntries(query), problems });
    const state = query.get("state");
    if (state !== null && state !== "") this.#desk.vault.secrets.add(state);
    if (problems.length > 0) return page(400, "Bad request", escapeHtml(problems.join("; ")));
    const { consent } = this.#desk.settings;
    return consent === "page" ? this.#ask(query) : redirectTo(this.#callback(query, consent));
  }

  /** `GET /oauth/decide`: where the links of the page lead. */
  decide(request: UpstreamRequest): Answer {
    const query = queryOf(request);
    const name = query.get("request") ?? "";
    const asked = this.#pages.get(name);
    if (asked === undefined) return page(400, "Bad request", "Nobody asked for this.");
    this.#pages.delete(name);
    return redirectTo(this.#callback(asked, query.get("answer") === "allow" ? "grant" : "deny"));
  }

  /** `POST /api/accounts/deviceauth/usercode` */
  userCode(request: UpstreamRequest): Answer {
    const clientId = pickText(bodyOf(request), "client_id") ?? "";
    if (!this.#knows(clientId))
      return reply(401, { error: { code: "invalid_client", message: "unknown client" } });
    const userCode = `${randomLetters(4)}-${randomLetters(5)}`;
    const id = `deviceauth_${randomText()}`;
    this.#desk.vault.secrets.add(id);
    const expiresAt = this.#desk.now() + DEVICE_LIFETIME_MS;
    this.#devices.set(id, { userCode, clientId, expiresAt, account: undefined, told: false });
    const interval = this.#desk.settings.deviceInterval;
    return reply(200, { device_auth_id: id, user_code: userCode, interval });
  }

  /** `POST /api/accounts/deviceauth/token`: 403 until the user has approved, 404 for what is unknown or over. */
  devicePoll(request: UpstreamRequest): Answer {
    const body = bodyOf(request);
    const device = this.#devices.get(pickText(body, "device_auth_id") ?? "");
    if (device === undefined || device.userCode !== pickText(body, "user_code")) return noDevice();
    if (device.expiresAt <= this.#desk.now() || device.told) return noDevice();
    if (device.account === undefined)
      return reply(403, { error: { code: "deviceauth_authorization_pending", message: "not approved yet" } });
    device.told = true;
    const verifier = randomText(48);
    this.#desk.vault.secrets.add(verifier);
    const challenge = challengeOf(verifier);
    const code = this.#desk.vault.newCode({
      clientId: device.clientId,
      redirectUri: `${this.#url()}/deviceauth/callback`,
      challenge,
      nonce: undefined,
      account: device.account,
      expiresAt: this.#desk.now() + CODE_LIFETIME_MS,
    });
    return reply(200, { authorization_code: code, code_challenge: challenge, code_verifier: verifier });
  }

  /** `/codex/device`: a form for the code, which approves when it is sent. */
  devicePage(request: UpstreamRequest): Answer {
    const form =
      '<form method="post" action="/codex/device"><label>Code <input name="user_code"></label> <button>Allow</button></form>';
    if (request.method !== "POST") return page(200, "Sign in on a device", form);
    const sent = new URLSearchParams(request.body.toString("utf8")).get("user_code") ?? "";
    try {
      this.approve(sent.trim());
    } catch {
      return page(400, "No such code", form);
    }
    return page(200, "Signed in", "<p>You may close this page.</p>");
  }

  approve(userCode: string, account: IssuerAccount = this.#desk.settings.account): void {
    const device = [...this.#devices.values()].find((each) => each.userCode === userCode);
    if (device === undefined) throw new Error("no device flow has this code");
    device.account = account;
  }

  /** An endpoint that scripts may take over. */
  scripted(step: IssuerStep, own: (request: UpstreamRequest) => Answer): Answer {
    return async (request, connection) => {
      const script = this.#desk.scripts.take(step);
      await this.#desk.scripts.wait(script, "before");
      const answer = script.answer === undefined || script.rotate === true ? own(request) : undefined;
      await this.#desk.scripts.wait(script, "after");
      await answerByScript(script, answer ?? reply(500, {}))(request, connection);
    };
  }

  #ask(query: URLSearchParams): Answer {
    const name = randomText(16);
    this.#pages.set(name, query);
    const link = (answer: string, text: string): string =>
      `<p><a id="${answer}" href="/oauth/decide?request=${name}&amp;answer=${answer}">${text}</a></p>`;
    const who = escapeHtml(this.#desk.settings.account.email);
    return page(
      200,
      "Allow access?",
      `<p>You are ${who}.</p>${link("allow", "Allow")}${link("deny", "Deny")}`,
    );
  }

  #callback(query: URLSearchParams, consent: Exclude<Consent, "page">): string {
    const target = new URL(query.get("redirect_uri") ?? "");
    const { denial } = this.#desk.settings;
    const state = consent === "wrong-state" ? randomText() : (query.get("state") ?? "");
    if (consent === "deny") {
      target.searchParams.set("error", denial.error);
      target.searchParams.set("error_description", denial.description);
    } else if (consent === "wrong-code") target.searchParams.set("code", `ac_${randomText()}`);
    else if (consent !== "no-code") target.searchParams.set("code", this.#newCode(query));
    if (consent !== "no-state") target.searchParams.set("state", state);
    for (const name of ["code", "state"]) {
      const secret = target.searchParams.get(name);
      if (secret !== null) this.#desk.vault.secrets.add(secret);
    }
    return target.href;
  }

  #newCode(query: URLSearchParams): string {
    return this.#desk.vault.newCode({
      clientId: query.get("client_id") ?? "",
      redirectUri: query.get("redirect_uri") ?? "",
      challenge: query.get("code_challenge") ?? "",
      nonce: query.get("nonce") ?? undefined,
      account: this.#desk.settings.account,
      expiresAt: this.#desk.now() + CODE_LIFETIME_MS,
    });
  }

  #knows(clientId: string): boolean {
    return clientId !== "" && (this.#desk.clientId ?? clientId) === clientId;
  }

  #problems(query: URLSearchParams): string[] {
    const problems: string[] = [];
    const check = (name: string, fits: (value: string) => boolean): void => {
      const values = query.getAll(name);
      if (values.length !== 1 || !fits(values[0] ?? ""))
        problems.push(`${name} is missing, doubled or wrong`);
    };
    check("response_type", (value) => value === "code");
    check("client_id", (value) => this.#knows(value));
    check("redirect_uri", isLoopback);
    check("code_challenge_method", (value) => value === "S256");
    check("code_challenge", (value) => /^[\w-]{43}$/.test(value));
    check("state", (value) => value !== "");
    return problems;
  }
}

function isLoopback(text: string): boolean {
  const url = URL.parse(text);
  return (
    url !== null && url.protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname)
  );
}

function noDevice(): Answer {
  return reply(404, { error: { code: "deviceauth_not_found", message: "no such device flow" } });
}

function queryOf(request: UpstreamRequest): URLSearchParams {
  return new URLSearchParams(request.target.split("?")[1] ?? "");
}

function bodyOf(request: UpstreamRequest): unknown {
  return parseJson(request.body.toString("utf8"));
}

function randomLetters(count: number): string {
  return Array.from({ length: count }, () => "BCDFGHJKLMNPQRSTVWXZ"[Math.floor(Math.random() * 20)]).join("");
}
