// The clients of a soak: so many streams at all times, whole answers beside them, some that read slowly, some that
// leave. Each knows what it ordered and judges what it gets.
import type { Random } from "../../src/core/ports.ts";
import { send, type Behaviour, type Reply } from "../support/client.ts";
import { CLIENT_KEY, SECOND_CLIENT_KEY } from "../support/gateway-config.ts";
import { ask } from "../support/made-streams.ts";
import { judge, type Protocol } from "../support/oracle.ts";
import { PATHS } from "../support/samples.ts";
import { orderText, wordsOf, type Order } from "./faults.ts";

/** How exchanges ended for their clients; the last three are never right. */
export interface Ends {
  whole: number;
  /** Cut, and said so. */
  cut: number;
  refused: number;
  /** The client left. */
  left: number;
  /** Cut or refused without a word, or not ended in time. */
  lost: number;
  /** Shown as whole without being so. */
  lies: number;
  /** Other words than those ordered. */
  altered: number;
}

export interface CrowdOptions {
  readonly url: string;
  readonly streams: number;
  readonly chance: Random;
  readonly models: readonly string[];
}

const CLIENTS: readonly Protocol[] = ["messages", "responses", "chat"];
const PATIENCE_MS = 180_000;
/** Ended exchanges of which the words are kept for the report. */
const MOST_WRONG = 10;

export class Crowd {
  readonly ends: Ends = { whole: 0, cut: 0, refused: 0, left: 0, lost: 0, lies: 0, altered: 0 };
  readonly wrong: string[] = [];
  readonly statuses = new Map<number, number>();
  words = 0;
  live = 0;
  #orders = 0;
  #open = true;
  readonly #options: CrowdOptions;
  readonly #working: Promise<void>[];

  constructor(options: CrowdOptions) {
    this.#options = options;
    this.#working = Array.from({ length: options.streams }, (_, index) => this.#stream(index));
    this.#working.push(this.#wholes());
  }

  get orders(): number {
    return this.#orders;
  }

  /** No new orders; resolves when the last one has ended. */
  async close(): Promise<void> {
    this.#open = false;
    await Promise.all(this.#working);
  }

  async #stream(index: number): Promise<void> {
    const { chance } = this.#options;
    // They do not begin together, so that they do not end together.
    await Bun.sleep(index * 20);
    while (this.#open) {
      const order = { id: ++this.#orders, words: 5 + Math.floor(chance() * 20), delayMs: 2_000 };
      await this.#exchange(order, true, this.#behaviour());
      // Whoever is refused does not come back at once.
      await Bun.sleep(50 + chance() * 200);
    }
  }

  async #wholes(): Promise<void> {
    while (this.#open) {
      await this.#exchange({ id: ++this.#orders, words: 50, delayMs: 0 }, false, {});
      await Bun.sleep(500);
    }
  }

  /** One in twelve leaves, one in twelve reads slowly. */
  #behaviour(): Behaviour {
    const { chance } = this.#options;
    const mood = chance() * 12;
    if (mood < 1) return { leaveAfterMs: chance() * 20_000, leaveBy: chance() < 0.5 ? "fin" : "rst" };
    return mood < 2 ? { read: 400 } : {};
  }

  async #exchange(order: Order, stream: boolean, behaviour: Behaviour): Promise<void> {
    const { chance, url, models } = this.#options;
    const protocol = CLIENTS[Math.floor(chance() * CLIENTS.length)] ?? "chat";
    const model = models[Math.floor(chance() * models.length)] ?? "none";
    const key = chance() < 0.5 ? CLIENT_KEY : SECOND_CLIENT_KEY;
    const body = ask(protocol, { stream, model, text: orderText(order) });
    this.live += 1;
    const reply = await send(
      url,
      { path: PATHS[protocol], body, key },
      { ...behaviour, timeoutMs: PATIENCE_MS },
    ).reply;
    this.live -= 1;
    const end = this.#judge(order, protocol, reply);
    this.ends[end] += 1;
    this.statuses.set(reply.status, (this.statuses.get(reply.status) ?? 0) + 1);
    if (end !== "lost" && end !== "lies" && end !== "altered") return;
    if (this.wrong.length >= MOST_WRONG) return;
    const last = reply.text().slice(-300);
    this.wrong.push(
      `${end}: ${protocol} for ${model}, order ${order.id}, ${reply.status} ${reply.end}: ${last}`,
    );
  }

  #judge(order: Order, protocol: Protocol, reply: Reply): keyof Ends {
    if (reply.end === "stopped") return "left";
    if (reply.end !== "complete") return "lost";
    const verdict = judge(protocol, reply);
    const ordered = wordsOf(order).join("");
    this.words += verdict.text.split("✓").length - 1;
    // Some servers leave out Chat's `[DONE]`: a `finish_reason` and a clean end are the end, too.
    const isOver = protocol === "chat" && verdict.stop !== undefined && verdict.error === undefined;
    if (verdict.complete || isOver) return verdict.text === ordered ? "whole" : "lies";
    if (verdict.error === undefined || verdict.problems.length > 0) return "lost";
    if (reply.status !== 200) return "refused";
    return ordered.startsWith(verdict.text) || verdict.text === "0" ? "cut" : "altered";
  }
}
