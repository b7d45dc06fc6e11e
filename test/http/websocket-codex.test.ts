// A turn of Codex over a socket, as it sends it, served by ChatGPT accounts.
import { expect, test } from "bun:test";
import { expectRecorded } from "../scenarios/settled.ts";
import { sse } from "../support/answers.ts";
import { FAILURES, startChatgpt } from "../support/chatgpt.ts";
import { credentialOf, gatewayConfig } from "../support/gateway-config.ts";
import { startGateway } from "../support/gateway.ts";
import { pick, pickList, pickText } from "../support/json-pick.ts";
import { sampleRequest } from "../support/samples.ts";
import { idOf, openSocket, said, typesOf } from "./socket-client.ts";

const MODEL = "gpt-5.2-codex";
const CALL = { id: "fc_1", type: "function_call", call_id: "call_1", name: "exec_command", arguments: "{}" };

test("a turn of Codex goes on from its preparation, and at another account when the first one has nothing left", async () => {
  // Its own client may send what others may not.
  await using backend = await startChatgpt({}, { strict: false });
  const accounts = ["one", "two"].map((name, index) => ({
    name,
    platform: "openai",
    type: "oauth",
    oauth_token: credentialOf(name),
    chatgpt_account_id: `workspace-${name}`,
    base_url: backend.base,
    priority: index + 1,
  }));
  await using gateway = await startGateway(gatewayConfig(accounts));
  const { headers, body } = sampleRequest("codex");
  const request = { type: "response.create", ...body, model: MODEL };
  using socket = await openSocket(gateway.url, {
    headers: { ...Object.fromEntries(headers), "openai-beta": "responses_websockets=2026-02-06" },
  });
  const base = said("user", "Base.");
  socket.send({ ...request, input: [base], generate: false });
  const prepared = idOf(await socket.answer());
  expect(backend.requests.length).toBe(0);

  const response = { id: "resp_call", object: "response", status: "completed", model: MODEL, output: [] };
  const begun = { type: "response.created", response };
  const item = { type: "response.output_item.done", output_index: 0, item: CALL };
  const whole = { type: "response.completed", response };
  const calling = sse([begun, item, whole].map((data) => ({ event: data.type, data })));
  const usedUp = FAILURES.usageLimit();
  backend.script([calling]);
  socket.send({ ...request, input: [said("user", "Look.")], previous_response_id: prepared });
  expect(idOf(await socket.answer())).toBe("resp_call");

  backend.script([usedUp], "workspace-one");
  const result = { type: "function_call_output", call_id: "call_1", output: "There." };
  socket.send({ ...request, input: [result], previous_response_id: "resp_call" });
  expect(typesOf(await socket.answer()).at(-1)).toBe("response.completed");

  const asked = backend.responses();
  expect(asked.map(({ accountId, refusal }) => [accountId, refusal])).toEqual([
    ["workspace-one", undefined],
    ["workspace-one", undefined],
    ["workspace-two", undefined],
  ]);
  const kinds = pickList(asked[2]?.body, "input").map((each) => pickText(each, "type"));
  expect(kinds).toEqual(["message", "message", "function_call", "function_call_output"]);
  expect(pick(asked[2]?.body, "previous_response_id")).toBe(undefined);
  expect(asked[2]?.headers["openai-beta"]).toBe(undefined);
  await expectRecorded(gateway, 2);
});
