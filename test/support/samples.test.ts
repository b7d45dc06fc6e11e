import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { json } from "./answers.ts";
import { post } from "./client.ts";
import { pick } from "./json-pick.ts";
import { ask, textAnswer, textStream } from "./made-streams.ts";
import { judge, judgeAnswer, judgeStream } from "./oracle.ts";
import { provider } from "./provider.ts";
import {
  MODELS,
  PATHS,
  PROTOCOLS,
  providerError,
  providerErrorNames,
  REQUEST_NAMES,
  sampleRequest,
} from "./samples.ts";
import { startUpstream } from "./upstream.ts";

const FIXTURES = join(import.meta.dirname, "..", "fixtures");

describe("the samples", () => {
  test("hold no credential, no address of a person and no real id", () => {
    const files = readdirSync(FIXTURES, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    expect(files.length).toBeGreaterThan(25);
    for (const file of files) {
      const text = readFileSync(join(file.parentPath, file.name), "utf8");
      expect([
        file.name,
        text.match(/sk-[a-zA-Z0-9_-]{8,}|eyJ[\w-]{10,}|bearer|x-api-key:|[\w.]+@[\w-]+\.\w+/i),
      ]).toEqual([file.name, null]);
      const ids = text
        .match(/\b(msg|resp|req|toolu|call|fc|rs|ses|chatcmpl)[_-](?!sample|00000000-)[\w-]{8,}/g)
        ?.filter((id) => !id.startsWith("call_arguments"));
      expect([file.name, ids ?? []]).toEqual([file.name, []]);
      const uuids = text.match(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g) ?? [];
      expect([file.name, uuids.filter((uuid) => !uuid.startsWith("00000000-"))]).toEqual([file.name, []]);
    }
  });

  test("hold requests of the clients, whole and with their own headers", () => {
    for (const name of REQUEST_NAMES) {
      const request = sampleRequest(name);
      expect(Object.values(PATHS)).toContain(request.path.split("?")[0] ?? "");
      expect(typeof request.body["model"]).toBe("string");
      const names = request.headers.map(([header]) => header.toLowerCase());
      expect(names.length).toBeGreaterThan(3);
      expect(names).not.toContain("authorization");
      expect(names).not.toContain("host");
      expect(names).not.toContain("content-length");
    }
    expect(
      pick(JSON.parse(String(pick(sampleRequest("claude-code").body, "metadata", "user_id"))), "session_id"),
    ).toBe("00000000-0000-4000-8000-000000000001");
  });

  test("hold provider errors whose bodies the oracle reads as errors", () => {
    const kinds = { anthropic: ["messages"], openai: ["responses", "chat"] } as const;
    for (const platform of ["anthropic", "openai"] as const) {
      const names = providerErrorNames(platform);
      expect(names.length).toBeGreaterThan(20);
      for (const name of names) {
        const error = providerError(platform, name);
        expect(name).toStartWith(String(error.status));
        const isDetail = pick(JSON.parse(error.body), "detail") !== undefined;
        for (const protocol of kinds[platform]) {
          const verdict = judgeAnswer(protocol, error.body);
          expect([name, verdict.complete]).toEqual([name, false]);
          if (!isDetail) expect([name, verdict.error?.message]).toEqual([name, expect.stringMatching(/./)]);
        }
      }
    }
    expect(providerErrorNames("html").map((name) => providerError("html", name).status)).toEqual([
      502, 403, 200, 503,
    ]);
  });
});

describe("a made stream", () => {
  test("says what it was told, as does the whole answer", () => {
    for (const protocol of PROTOCOLS) {
      const pieces = ["é", "漢字\n", '"quoted"', "🙂"];
      const stream = judgeStream(protocol, textStream(protocol, pieces, { id: "made", model: "some-model" }));
      const answer = judgeAnswer(
        protocol,
        JSON.stringify(textAnswer(protocol, pieces.join(""), { model: "some-model" })),
      );
      expect([stream.complete, stream.text, stream.problems]).toEqual([true, pieces.join(""), []]);
      expect([answer.complete, answer.text, answer.stop, answer.problems]).toEqual([
        true,
        pieces.join(""),
        stream.stop,
        [],
      ]);
    }
  });
});

describe("the provider that behaves", () => {
  test("answers in the protocol of the path, streamed or whole as the body asks, in the model asked for", async () => {
    await using upstream = await startUpstream();
    upstream.otherwise(provider({ text: (request) => `you are ${request.credential}`, deltas: 3 }));
    for (const protocol of PROTOCOLS) {
      for (const stream of [true, false]) {
        const reply = await post(upstream.url, PATHS[protocol], ask(protocol, { stream }), { key: "k1" });
        const verdict = judge(protocol, reply);
        expect([reply.status, verdict.complete, verdict.text, verdict.problems]).toEqual([
          200,
          true,
          "you are k1",
          [],
        ]);
        expect(reply.header("content-type")?.startsWith("text/event-stream")).toBe(stream);
        expect(reply.text()).toContain(MODELS[protocol]);
      }
    }
  });

  test("counts tokens, knows no other path, and tells chat usage only when asked", async () => {
    await using upstream = await startUpstream();
    upstream.otherwise(provider());
    expect((await post(upstream.url, "/v1/messages/count_tokens", {})).json()).toEqual({ input_tokens: 7 });
    expect((await post(upstream.url, "/v1/else", {})).status).toBe(404);
    const plain = await post(upstream.url, PATHS.chat, ask("chat", { stream: true }));
    expect([judge("chat", plain).complete, plain.text().includes("usage")]).toEqual([true, false]);
    const counted = await post(
      upstream.url,
      PATHS.chat,
      ask("chat", { stream: true, extra: { stream_options: { include_usage: true } } }),
    );
    expect(pick(judge("chat", counted).usage, "total_tokens")).toBe(15);
  });
});

describe("judging a reply", () => {
  test("does not take a whole answer that its framing left open", async () => {
    await using upstream = await startUpstream();
    const body = JSON.stringify(textAnswer("chat", "x"));
    upstream.otherwise(json(200, body, {}, { end: "short-length" }));
    const reply = await post(upstream.url, PATHS.chat, {});
    expect(reply.text()).toBe(body);
    expect(judge("chat", reply)).toMatchObject({ complete: false, problems: ["body ended by fin"] });
  });
});
