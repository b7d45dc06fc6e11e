import { describe, expect, test } from "bun:test";
import { faultOfError, readError } from "./wire-error.ts";

function told(status: number | undefined, type: string, code?: string) {
  const error = { status, type, code, message: "m", param: undefined };
  const pick = (family: "anthropic" | "openai") => {
    const fault = faultOfError(error, family);
    return [fault.status, fault.type, fault.code];
  };
  return { anthropic: pick("anthropic"), openai: pick("openai") };
}

describe("an upstream's error in the words of the client's family", () => {
  test.each([
    [
      529,
      "overloaded_error",
      undefined,
      [529, "overloaded_error"],
      [503, "server_error", "server_is_overloaded"],
    ],
    [
      429,
      "rate_limit_error",
      undefined,
      [429, "rate_limit_error"],
      [429, "rate_limit_error", "rate_limit_exceeded"],
    ],
    [429, "tokens", "rate_limit_exceeded", [429, "rate_limit_error"], [429, "tokens", "rate_limit_exceeded"]],
    [
      429,
      "insufficient_quota",
      "insufficient_quota",
      [429, "rate_limit_error"],
      [429, "insufficient_quota", "insufficient_quota"],
    ],
    [
      404,
      "not_found_error",
      undefined,
      [404, "not_found_error"],
      [404, "invalid_request_error", "model_not_found"],
    ],
    [
      400,
      "invalid_request_error",
      "context_length_exceeded",
      [400, "invalid_request_error"],
      [400, "invalid_request_error", "context_length_exceeded"],
    ],
    [500, "server_error", undefined, [500, "api_error"], [500, "server_error", null]],
    [undefined, "martian", undefined, [500, "api_error"], [500, "martian", null]],
  ] as const)("%p %s %p", (status, type, code, ...families) => {
    const both = told(status, type, code);
    const [anthropic, openai] = families;
    expect(both.anthropic.slice(0, 2)).toEqual([...anthropic]);
    expect(both.openai).toEqual([...openai]);
  });

  test("that the gateway's own account was refused stays with the gateway", () => {
    const error = {
      status: 401,
      type: "authentication_error",
      code: undefined,
      message: "bad key",
      param: undefined,
    };
    const fault = faultOfError(error, "openai");
    expect(fault).toMatchObject({ status: 502, code: "gateway_upstream_refused" });
    expect(fault.message).not.toContain("bad key");
  });
});

describe("an error in the form of FastAPI", () => {
  test("is a text", () => {
    expect(readError({ detail: "Unsupported parameter: user" })).toMatchObject({
      status: undefined,
      message: "Unsupported parameter: user",
      param: undefined,
    });
  });

  test("is a list of complaints, of which the first names the field", () => {
    const detail = [
      {
        type: "missing",
        loc: ["body", "input", 0, "role"],
        msg: "Field required",
        input: { secret: "kept" },
      },
      { type: "odd", loc: ["query"] },
      "words",
    ];
    expect(readError({ detail })).toMatchObject({
      message: 'input.0.role: Field required; query: {"type":"odd","loc":["query"]}; "words"',
      param: "input.0.role",
    });
    expect(readError({ detail: [{ loc: ["body"], msg: "No object" }] })).toMatchObject({
      message: "No object",
      param: undefined,
    });
  });

  test("is an object told as it stands", () => {
    expect(readError({ detail: { code: "deactivated" } })?.message).toBe('{"code":"deactivated"}');
  });
});
