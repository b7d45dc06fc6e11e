// A stream of Responses events collected into the response it carries: its terminal event holds it whole,
// except that some backends leave `output` empty there and tell the items only as they are done.

import type { Fold } from "../../core/fold.ts";
import { arrayAt, numberAt, objectAt, stringAt } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";

export class ResponseFold implements Fold {
  readonly #items = new Map<number, JsonObject>();
  #response: JsonObject | undefined;
  #failed = false;

  add(event: JsonObject): void {
    switch (stringAt(event, "type")) {
      case "response.output_item.done": {
        const item = objectAt(event, "item");
        if (item !== undefined) this.#items.set(numberAt(event, "output_index") ?? this.#items.size, item);
        break;
      }
      case "response.completed":
      case "response.incomplete":
        this.#response ??= objectAt(event, "response");
        break;
      case "response.failed":
      case "error":
        this.#failed = true;
        break;
      default:
    }
  }

  answer(): JsonObject | undefined {
    const response = this.#response;
    if (response === undefined || this.#failed) return undefined;
    if ((arrayAt(response, "output") ?? []).length > 0 || this.#items.size === 0) return response;
    const output = [...this.#items].toSorted(([a], [b]) => a - b).map(([, item]) => item);
    return { ...response, output };
  }
}
