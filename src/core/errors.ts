// One table of everything the gateway itself may answer; docs/errors.md is compared with it by a test.

/** A row: HTTP status and error type, as each family of protocols says it. */
interface ErrorRow {
  readonly status: number;
  /** The status in the Messages protocol, where it has one of its own (529). */
  readonly anthropicStatus?: number;
  readonly anthropic: string;
  readonly openai: string;
  /** The well-known `code` an OpenAI client expects; otherwise `gateway_` + the code of the row. */
  readonly openaiCode?: string;
  /** False when asking again cannot help: sent as `x-should-retry: false`. */
  readonly retry?: false;
}

export const ERRORS = {
  unauthenticated: {
    status: 401,
    anthropic: "authentication_error",
    openai: "authentication_error",
    retry: false,
  },
  model_forbidden: { status: 403, anthropic: "permission_error", openai: "permission_error", retry: false },
  invalid_request: { status: 400, anthropic: "invalid_request_error", openai: "invalid_request_error" },
  unsupported_field: { status: 400, anthropic: "invalid_request_error", openai: "invalid_request_error" },
  body_too_large: { status: 413, anthropic: "request_too_large", openai: "invalid_request_error" },
  body_timeout: { status: 408, anthropic: "timeout_error", openai: "invalid_request_error" },
  model_not_found: {
    status: 404,
    anthropic: "not_found_error",
    openai: "invalid_request_error",
    openaiCode: "model_not_found",
  },
  endpoint_not_found: { status: 404, anthropic: "not_found_error", openai: "invalid_request_error" },
  previous_response_not_found: {
    status: 400,
    anthropic: "invalid_request_error",
    openai: "invalid_request_error",
    openaiCode: "previous_response_not_found",
  },
  websocket_unsupported: {
    status: 426,
    anthropic: "invalid_request_error",
    openai: "invalid_request_error",
  },
  pool_cooling: { status: 429, anthropic: "rate_limit_error", openai: "rate_limit_error" },
  key_limited: { status: 429, anthropic: "rate_limit_error", openai: "rate_limit_error" },
  pool_busy: { status: 503, anthropicStatus: 529, anthropic: "overloaded_error", openai: "server_error" },
  pool_unavailable: { status: 503, anthropic: "api_error", openai: "server_error" },
  shutting_down: { status: 503, anthropicStatus: 529, anthropic: "overloaded_error", openai: "server_error" },
  upstream_failed: { status: 502, anthropic: "api_error", openai: "server_error" },
  upstream_refused: { status: 502, anthropic: "api_error", openai: "server_error" },
  upstream_cut: { status: 502, anthropic: "api_error", openai: "server_error" },
  upstream_timeout: { status: 504, anthropic: "timeout_error", openai: "server_error" },
  internal: { status: 500, anthropic: "api_error", openai: "server_error" },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorDetails {
  readonly cause?: unknown;
  /** When asking again may help, in ms from now. */
  readonly retryAfterMs?: number;
  /** The request field that is at fault, for OpenAI's `param`. */
  readonly param?: string;
}

/** An error of the gateway's own. The message is for clients: never a secret, a host or a stack. */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;
  readonly param: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "GatewayError";
    this.code = code;
    this.retryAfterMs = details.retryAfterMs;
    this.param = details.param;
  }
}

/**
 * What a client is told, before it is put into its protocol's envelope. `type` and `code` are words of
 * that protocol's family; a fault of an upstream keeps the upstream's own words.
 */
export interface Fault {
  readonly status: number;
  readonly type: string;
  readonly code: string | null;
  readonly message: string;
  readonly param: string | null;
  readonly retryAfterMs: number | undefined;
  readonly retry: boolean | undefined;
}

/** A failure in the words of one family of protocols. */
export function faultOf(error: Failure, family: "anthropic" | "openai"): Fault {
  if (!(error instanceof GatewayError)) return error;
  const row: ErrorRow = ERRORS[error.code];
  const own = `gateway_${error.code}`;
  const anthropic = family === "anthropic";
  return {
    status: (anthropic ? row.anthropicStatus : undefined) ?? row.status,
    type: row[family],
    code: row.openaiCode ?? own,
    message: anthropic || row.openaiCode !== undefined ? `${own}: ${error.message}` : error.message,
    param: error.param ?? null,
    retryAfterMs: error.retryAfterMs,
    retry: row.retry,
  };
}

/** What went wrong, before it is known in which protocol it will be told. */
export type Failure = Fault | GatewayError;

/** Any thrown value as a GatewayError; what is not one becomes `internal` and keeps its cause for the log. */
export function asGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  return new GatewayError("internal", "the gateway failed to handle this request", { cause: thrown });
}
