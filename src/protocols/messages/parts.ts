// What a Messages request makes of the parts of a conversation; docs/protocols.md is made of this.

import type { Parts } from "../../core/parts.ts";

export const MESSAGES_PARTS: Parts = {
  "system text": "`system`",
  "system text in the middle":
    "a `system` message where the model takes one behind a user's, else a user's text in `<system>`",
  "user's text": "`text` of a `user` message",
  "model's text": "`text` of an `assistant` message",
  "begun answer": "400, but for models that go on from one",
  refusal: "`text`",
  "phase of the model's text": "left out",
  "sources of the model's text": "left out",
  "picture by value": "`image` of type `base64`",
  "picture by URL": "`image` of type `url`",
  "PDF by value": "`document` of type `base64`",
  "document by URL": "`document` of type `url`",
  "document as text": "`document` of type `text`",
  "found text with its source": "`search_result`",
  "stored file": "400: a file is known to the service it was given to",
  sound: "400",
  "function call": "`tool_use`; arguments that are no JSON object: 400",
  "custom tool's call": "`tool_use` with its text as `input`",
  result: "`tool_result`, before all else in the user's next message; a missing one is told as failed",
  "picture in a result": "`image` in the `tool_result`",
  "failed result": "`is_error`",
  "step of the provider's own": "left out",
  compaction: "400",
  "pointer to a stored item": "400",
  "cache mark": "`cache_control`",
  "function tool": "`input_schema`; `strict` where the schema allows it",
  "custom tool": "a tool with one text, `input`; its grammar is told in the description",
  "examples for a tool": "left out",
  "tool that is loaded when it is looked for": "a tool with an `input_schema` from the beginning",
  "tool that is loaded in the conversation": "a tool with an `input_schema` from the beginning",
  "tool that only other tools may call": "400",
  "namespace of tools": "single tools named `ns__` and their own name, told back as two",
  "tool that the client runs, of a type of its own":
    "a tool with an `input_schema`, told back in its own type",
  "web search": "`web_search_20250305`",
  "other tool that the provider runs": "400",
  "choice of one tool": "`tool_choice`; where thinking excludes it, thinking is left out",
};
