// `POST /oauth/token` of the scripted issuer: judges the grant, answers by its script, and keeps the ledger.

import { answerByScript, reply } from "./issuer-answer.ts";
import type { ScriptQueue } from "./issuer-scripts.ts";
import { Refused, shortId, type Look, type Minted, type TokenVault } from "./issuer-tokens.ts";
import type { IssuerScript, IssuerSettings, TokenField, TokenPost } from "./issuer-types.ts";
import { isObject, parseJson, pickText, type JsonObject } from "./json-pick.ts";
import type { Answer, UpstreamRequest } from "./upstream.ts";

export interface TokenDesk {
  readonly vault: TokenVault;
  readonly scripts: ScriptQueue;
  readonly settings: IssuerSettings;
  readonly now: () => number;
  readonly clientId: string | undefined;
  readonly posts: TokenPost[];
}

type LivePost = { -readonly [Key in keyof TokenPost]: TokenPost[Key] };

/** What judging came to: the answer of an issuer in good health. */
interface Verdict {
  readonly status: number;
  readonly body: JsonObject;
}

export function tokenEndpoint(desk: TokenDesk): Answer {
  return async (request, connection) => {
    const { format, fields } = readFields(request);
    const grant = fields["grant_type"] ?? "";
    const refresh = fields["refresh_token"];
    const post: LivePost = {
      number: desk.posts.length + 1,
      at: desk.now(),
      grant,
      format,
      clientId: fields["client_id"],
      token: refresh === undefined ? undefined : shortId(refresh),
      family: refresh === undefined ? undefined : desk.vault.present(refresh)?.id,
      outcome: "pending",
      error: undefined,
      told: false,
    };
    desk.posts.push(post);
    for (const name of ["code", "code_verifier"]) {
      const secret = fields[name];
      if (secret !== undefined) desk.vault.secrets.add(secret);
    }
    const script = desk.scripts.take(
      grant === "authorization_code" || grant === "refresh_token" ? grant : undefined,
    );
    await desk.scripts.wait(script, "before");
    const verdict =
      isOwn(script) || script.rotate === true ? judge(desk, fields, { script, post }) : undefined;
    if (verdict === undefined) post.outcome = "scripted";
    await desk.scripts.wait(script, "after");
    const own = reply(verdict?.status ?? 500, verdict?.body ?? {});
    await answerByScript(script, own)(request, connection);
    post.told = connection.open && typeof script.answer !== "string";
  };
}

/** Whether the script lets the issuer speak for itself, if with other members. */
function isOwn({ answer }: IssuerScript): boolean {
  return answer === undefined || (typeof answer === "object" && ("without" in answer || "replace" in answer));
}

function judge(
  desk: TokenDesk,
  fields: Readonly<Record<string, string>>,
  { script, post }: { readonly script: IssuerScript; readonly post: LivePost },
): Verdict {
  try {
    const minted = grantTokens(desk, fields, script);
    post.family = minted.family.id;
    post.outcome = minted.refresh === undefined ? "kept" : "issued";
    return { status: 200, body: bodyOf(minted, script) };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    post.outcome = error.code === "refresh_token_reused" ? "reused" : "refused";
    post.error = error.code;
    return { status: error.status, body: errorBody(error, post.grant) };
  }
}

/** @throws Refused */
function grantTokens(
  desk: TokenDesk,
  fields: Readonly<Record<string, string>>,
  script: IssuerScript,
): Minted {
  const clientId = fields["client_id"] ?? "";
  const { vault } = desk;
  if (clientId === "" || (desk.clientId !== undefined && desk.clientId !== clientId))
    throw new Refused(401, "invalid_client", "unknown client");
  const look: Look = {
    lifetimeMs: desk.settings.lifetimeMs,
    idClaims: script.idClaims,
    opaqueAccess: script.opaqueAccess,
  };
  const rotate = !leavesOut(script, "refresh_token");
  if (fields["grant_type"] === "refresh_token")
    return vault.mint(vault.refreshed(fields["refresh_token"] ?? "", clientId), look, rotate);
  if (fields["grant_type"] !== "authorization_code")
    throw new Refused(400, "unsupported_grant_type", "no such grant");
  const client = { clientId, redirectUri: fields["redirect_uri"] ?? "" };
  const code = vault.redeem(fields["code"] ?? "", client, fields["code_verifier"] ?? "");
  const family = vault.newFamily(code.account, clientId);
  code.family = family;
  return vault.mint(family, { ...look, nonce: code.nonce }, rotate);
}

function bodyOf(minted: Minted, script: IssuerScript): JsonObject {
  const body: Record<TokenField, unknown> = {
    id_token: minted.id,
    access_token: minted.access,
    refresh_token: minted.refresh,
    token_type: "Bearer",
    expires_in: Math.floor(minted.lifetimeMs / 1000),
  };
  const { answer } = script;
  const kept = Object.entries(body).filter(([name]) => !leavesOut(script, name));
  const other = typeof answer === "object" && "replace" in answer ? answer.replace : {};
  return { ...Object.fromEntries(kept), ...other };
}

function leavesOut({ answer }: IssuerScript, field: string): boolean {
  return typeof answer === "object" && "without" in answer && answer.without.some((name) => name === field);
}

/** Refresh errors are coded objects here, everything else is as OAuth words it. */
function errorBody(error: Refused, grant: string): JsonObject {
  if (grant === "refresh_token" && error.code.startsWith("refresh_token_"))
    return {
      error: { message: error.message, type: "invalid_request_error", param: null, code: error.code },
    };
  return { error: error.code, error_description: error.message };
}

function readFields(request: UpstreamRequest): {
  readonly format: TokenPost["format"];
  readonly fields: Readonly<Record<string, string>>;
} {
  const type = (request.header("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase();
  const text = request.body.toString("utf8");
  if (type === "application/x-www-form-urlencoded")
    return { format: "form", fields: Object.fromEntries(new URLSearchParams(text)) };
  const body = type === "application/json" ? parseJson(text) : undefined;
  if (!isObject(body)) return { format: "neither", fields: {} };
  const pairs = Object.keys(body).map((key) => [key, pickText(body, key) ?? ""] as const);
  return { format: "json", fields: Object.fromEntries(pairs) };
}
