// Reads what upstreams call an error, in bodies and in streams: the families share the shapes and most words.

import { GatewayError, faultOf } from "./errors.ts";
import type { Fault } from "./errors.ts";
import type { StreamError } from "./hub.ts";
import { arrayAt, isObject, numberAt, objectAt, stringAt } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";
import type { WireError } from "./ports.ts";

/** What an error's code or type amounts to as a status, for errors inside a 200. */
const STATUS: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  invalid_request: 400,
  context_length_exceeded: 400,
  invalid_prompt: 400,
  invalid_value: 400,
  unsupported_parameter: 400,
  unsupported_value: 400,
  unknown_parameter: 400,
  missing_required_parameter: 400,
  invalid_encrypted_content: 400,
  content_policy_violation: 400,
  content_filter: 400,
  cyber_policy: 400,
  bio_policy: 400,
  misalignment_policy_violation: 400,
  data_residency_mismatch: 400,
  invalid_image: 400,
  invalid_image_format: 400,
  invalid_base64_image: 400,
  invalid_image_url: 400,
  invalid_image_mode: 400,
  image_too_large: 400,
  image_too_small: 400,
  image_parse_error: 400,
  image_content_policy_violation: 400,
  image_file_too_large: 400,
  unsupported_image_media_type: 400,
  empty_image_file: 400,
  failed_to_download_image: 400,
  image_file_not_found: 400,
  authentication_error: 401,
  invalid_api_key: 401,
  invalid_authentication: 401,
  token_expired: 401,
  billing_error: 402,
  permission_error: 403,
  permission_denied: 403,
  unsupported_country_region_territory: 403,
  not_found_error: 404,
  model_not_found: 404,
  not_found: 404,
  conflict_error: 409,
  request_too_large: 413,
  rate_limit_error: 429,
  rate_limit_exceeded: 429,
  usage_limit_reached: 429,
  usage_not_included: 429,
  insufficient_quota: 429,
  billing_hard_limit_reached: 429,
  api_error: 500,
  server_error: 500,
  internal_error: 500,
  internal_server_error: 500,
  server_is_overloaded: 503,
  service_unavailable_error: 503,
  slow_down: 503,
  timeout_error: 504,
  vector_store_timeout: 504,
  overloaded_error: 529,
};

function statusOf(word: string | undefined): number | undefined {
  return word !== undefined && Object.hasOwn(STATUS, word) ? STATUS[word] : undefined;
}

/** An HTTP status where a server wrote one into the error: `status`, `status_code` or a number as `code`. */
function statusIn(holder: JsonObject): number | undefined {
  for (const key of ["status", "status_code", "code"]) {
    const value = numberAt(holder, key) ?? Number(stringAt(holder, key));
    if (Number.isInteger(value) && value >= 400 && value <= 599) return value;
  }
  return undefined;
}

/** Where an error is told: as an object, as a bare text, or nowhere. */
function errorIn(data: JsonObject): JsonObject | undefined {
  const inner = data["error"];
  if (isObject(inner)) return inner;
  if (typeof inner === "string" && inner !== "") return { message: inner };
  const failed = objectAt(data["response"], "error");
  if (failed !== undefined) return failed;
  if (stringAt(data, "type") === "response.failed") return { message: "the response failed" };
  if (stringAt(data, "type") === "error") return data;
  const detail = data["detail"];
  // FastAPI's own envelope: a text, or a list of what was wrong with which field.
  if (typeof detail === "string" && detail !== "") return { message: detail };
  if (Array.isArray(detail)) return listed(detail);
  return isObject(detail) ? { message: JSON.stringify(detail) } : undefined;
}

/** `[{loc: ["body", "input", 0], msg}]` as one text; the first complaint names the field. */
function listed(details: readonly Json[]): JsonObject {
  const complaints = details.map((each) => {
    const field = (arrayAt(each, "loc") ?? []).filter((step) => step !== "body").join(".");
    return { field, words: stringAt(each, "msg") ?? JSON.stringify(each) };
  });
  const message = complaints
    .map(({ field, words }) => (field === "" ? words : `${field}: ${words}`))
    .join("; ");
  return { message, param: complaints[0]?.field || undefined };
}

/**
 * The error in an error body or in the data of an error event: `{error:{…}}` with or without an outer
 * `type`, `{error:"…"}`, `{response:{error}}`, `{type:"error",code,message}` and `{detail}`.
 */
export function readError(data: JsonObject): WireError | undefined {
  const error = errorIn(data);
  if (error === undefined) return undefined;
  const code = stringAt(error, "code") ?? stringAt(objectAt(error, "details"), "error_code");
  const named = stringAt(error, "type");
  const type = named === undefined || named === "error" ? (code ?? "api_error") : named;
  return {
    status: statusIn(error) ?? statusIn(data) ?? statusOf(code) ?? statusOf(named),
    type,
    code,
    message: stringAt(error, "message") ?? stringAt(error, "detail") ?? "the upstream gave no message",
    param: stringAt(error, "param"),
    raw: error,
  };
}

/** `{error:{message,type,param,code}}`, the body of one family's errors. */
export function plainErrorBody(fault: Fault): JsonObject {
  const { message, type, param, code } = fault;
  return { error: { message, type, param, code } };
}

/** One family's words, to tell whether an error is told in them. */
const ANTHROPIC_TYPES: ReadonlySet<string> = new Set([
  "invalid_request_error",
  "authentication_error",
  "billing_error",
  "permission_error",
  "not_found_error",
  "conflict_error",
  "request_too_large",
  "rate_limit_error",
  "timeout_error",
  "api_error",
  "overloaded_error",
]);

function anthropicType(status: number): string {
  switch (status) {
    case 402:
      return "billing_error";
    case 404:
      return "not_found_error";
    case 408:
    case 504:
      return "timeout_error";
    case 409:
      return "conflict_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
    case 529:
      return "overloaded_error";
    default:
      return status < 500 ? "invalid_request_error" : "api_error";
  }
}

function openaiWords(status: number): { readonly type: string; readonly code: string | null } {
  if (status === 429) return { type: "rate_limit_error", code: "rate_limit_exceeded" };
  if (status === 404) return { type: "invalid_request_error", code: "model_not_found" };
  if (status === 503 || status === 529) return { type: "server_error", code: "server_is_overloaded" };
  return { type: status < 500 ? "invalid_request_error" : "server_error", code: null };
}

/**
 * An upstream's error as a client of `family` is to be told it: its message, and its words where the family
 * has them. That the gateway's own account was refused says nothing to a client and is told as a failure.
 */
export function faultOfError(error: StreamError, family: "anthropic" | "openai"): Fault {
  const { message, type, code = null, param = null, retryAfterMs } = error;
  const told = { message, param, retryAfterMs, retry: undefined };
  const status = error.status ?? 500;
  if (status === 401 || status === 403)
    return faultOf(
      new GatewayError("upstream_refused", "the upstream refused the gateway's account"),
      family,
    );
  const known = ANTHROPIC_TYPES.has(type);
  if (family === "anthropic") return { ...told, status, type: known ? type : anthropicType(status), code };
  // A type that only the other family has, or that both have but here goes with a code.
  if (known && code === null)
    return { ...told, status: status === 529 ? 503 : status, ...openaiWords(status) };
  return { ...told, status, type, code };
}
