// The pages of a sign-in, for a browser: what happened, to which account, and what to do next.

import { createHash } from "node:crypto";
import { Markup, markup } from "./html.ts";
import type { Identity } from "./login.ts";
import type { End, Question, Stray } from "./steps.ts";

const STYLE = `
:root { color-scheme: light dark; --text: #1c2024; --dim: #5a6269; --ground: #f3f4f6; --card: #fff; --line: #d5d9de;
  --main: #1f5fbf; --on-main: #fff; --good: #1a7f37; --bad: #b3261e; --warn: #7a4d00; --warn-ground: #fff4d6; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e8ea; --dim: #9ba3ab; --ground: #15181b; --card: #1e2226;
  --line: #3a4047; --main: #7fb0ff; --on-main: #10161f; --good: #5fce7f; --bad: #ff8a80; --warn: #ffd47a;
  --warn-ground: #332a14; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 3rem 1rem; background: var(--ground); color: var(--text);
  font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: anywhere; }
main { max-width: 36rem; margin: 0 auto; padding: 1.75rem 2rem 2rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 10px; }
h1 { margin: 0 0 1rem; font-size: 1.4rem; line-height: 1.3; }
h1.good { color: var(--good); }
h1.bad { color: var(--bad); }
p, ol, dl, form, blockquote { margin: 0 0 1rem; }
main > :last-child { margin-bottom: 0; }
ol { padding-left: 1.4rem; }
li { margin-bottom: 0.75rem; }
a { color: var(--main); }
code { font: 0.92em ui-monospace, monospace; }
blockquote { padding: 0.5rem 1rem; border-left: 4px solid var(--line); color: var(--dim); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.25rem 1rem; }
dt { color: var(--dim); }
dd { margin: 0; }
.warning { padding: 0.75rem 1rem; border-radius: 6px; background: var(--warn-ground); color: var(--warn); }
.button, button { display: inline-block; padding: 0.5rem 1.1rem; border: 1px solid var(--main); border-radius: 6px;
  background: var(--main); color: var(--on-main); font: inherit; text-decoration: none; cursor: pointer; }
button.other { background: transparent; color: var(--main); }
.choice { display: flex; flex-wrap: wrap; gap: 0.75rem; }
label { display: block; margin-bottom: 0.35rem; }
textarea { width: 100%; margin-bottom: 0.75rem; padding: 0.5rem; border: 1px solid var(--line); border-radius: 6px;
  background: var(--ground); color: inherit; font: 0.9rem/1.4 ui-monospace, monospace; resize: vertical; }
footer { max-width: 36rem; margin: 0.75rem auto 0; padding: 0 2rem; color: var(--dim); font-size: 0.85rem; }
`;

// The hash is of every byte between the tags.
const STYLE_ELEMENT = new Markup(`<style>${STYLE}</style>`);
const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");

/** No scripts, no images, nothing from elsewhere; nobody may frame the page or have its forms. */
const POLICY =
  `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; ` +
  "frame-ancestors 'none'; base-uri 'none'";

type Extra = Readonly<Record<string, string>>;

interface Page {
  readonly status: number;
  readonly title: string;
  readonly tone?: "good" | "bad";
  readonly body: Markup;
  readonly headers?: Extra;
}

function page({ status, title, tone, body, headers }: Page): Response {
  const document = markup`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} - sub2api_simple</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        <main>
          <h1 class="${tone ?? ""}">${title}</h1>
          ${body}
        </main>
        <footer>sub2api_simple</footer>
      </body>
    </html> `;
  return new Response(document.text, {
    status,
    headers: { ...privateHeaders(), "content-type": "text/html; charset=utf-8", ...headers },
  });
}

/** What every answer of a sign-in carries: it is kept nowhere and tells nobody where it came from. */
export function privateHeaders(): Record<string, string> {
  return {
    "cache-control": "no-store",
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-request-id": `req_${crypto.randomUUID().replaceAll("-", "")}`,
  };
}

/** A page of one thing to say. */
export function messagePage(status: number, title: string, text: string, headers: Extra = {}): Response {
  return page({ status, title, tone: "bad", body: markup`<p>${text}</p>`, headers });
}

/** How a sign-in ended. */
export function endPage(account: string, end: End, headers: Extra = {}): Response {
  if (end.kind === "signed-in") return signedInPage(account, end.identity, headers);
  const body = markup`${endWords(account, end)}
    <p>To try again, start the sign-in once more where you started it.</p>`;
  const status = end.kind === "failed" ? 502 : end.kind === "kept" ? 200 : end.kind === "expired" ? 410 : 400;
  return page({ status, title: END_TITLES[end.kind], ...(end.kind === "kept" ? {} : BAD), body, headers });
}

const BAD = { tone: "bad" } as const;
const END_TITLES = {
  denied: "Not signed in",
  failed: "Not signed in",
  kept: "Everything is as it was",
  expired: "This sign-in is over",
} as const;

function endWords(account: string, end: Exclude<End, { kind: "signed-in" }>): Markup {
  if (end.kind === "kept") return markup`<p>The account <b>${account}</b> keeps the login it had.</p>`;
  if (end.kind === "expired")
    return markup`<p>The sign-in of <b>${account}</b> has run out. Nothing was changed.</p>`;
  if (end.kind === "failed")
    return markup`<p>The sign-in of <b>${account}</b> has failed. Nothing was changed. The reason:</p>
      <blockquote>${end.reason}</blockquote>`;
  const { error, description } = end;
  return markup`<p>The issuer did not grant the sign-in of <b>${account}</b>. Nothing was changed. It says:</p>
    <blockquote>${description === undefined ? error : `${error}: ${description}`}</blockquote>`;
}

function signedInPage(account: string, identity: Identity, headers: Extra): Response {
  const body = markup`<p>The account <b>${account}</b> is signed in and can be used at once.</p>
    ${identityList(identity)}
    <p>The gateway keeps this login and renews it by itself. You can close this window.</p>`;
  return page({ status: 200, title: "Signed in", tone: "good", body, headers });
}

function identityList({ email, accountId, plan }: Identity): Markup {
  const rows = [
    ["Who", email],
    ["Workspace", accountId],
    ["Plan", plan],
  ] as const;
  const shown = rows.filter(([, value]) => value !== undefined);
  return shown.length === 0
    ? markup`<p>The issuer did not say who that is.</p>`
    : markup`<dl>
        ${shown.map(
          ([name, value]) =>
            markup`<dt>${name}</dt>
              <dd>${value}</dd>`,
        )}
      </dl>`;
}

/** Asked before an account becomes somebody else. The form goes to `confirm` beside the page. */
export function questionPage(account: string, question: Question, formKey: string): Response {
  const body = markup`<p>The account <b>${account}</b> was</p>
    ${identityList(question.had)}
    <p>and you have signed in as</p>
    ${identityList(question.got)}
    <p>Shall <b>${account}</b> be the second from now on? Until you answer, nothing changes.</p>
    <form method="post" action="confirm" class="choice">
      <input type="hidden" name="key" value="${formKey}" />
      <button name="answer" value="no">No, keep the first</button>
      <button name="answer" value="yes" class="other">Yes, use the second</button>
    </form>`;
  return page({ status: 200, title: "Another identity than before", body });
}

export function strayPage({ why }: Stray): Response {
  return messagePage(why === "used" ? 409 : 400, "Nothing was signed in", STRAY_WORDS[why]);
}

export const STRAY_WORDS: Readonly<Record<Stray["why"], string>> = {
  used: "This answer has been used already: a sign-in takes one. If it was not you who used it, sign in once more.",
  unknown:
    "This answer belongs to no sign-in that is open here, and was not looked at. An open one goes on; it ends after 10 minutes.",
  unreadable:
    "There is no answer of a sign-in in this address: its code= or state= is missing. The sign-in goes on.",
};

/** Told before the browser is sent anywhere, since there would be no way back. */
export function portBusyPage(account: string, port: number): Response {
  const body = markup`<p>
      The issuer sends the browser back to port ${port} of this machine, and another program has that port. It
      may be the Codex program or another gateway, waiting for a sign-in of its own.
    </p>
    <p>End that sign-in and reload this page, or sign <b>${account}</b> in without the port:</p>
    <ol>
      <li>
        <a href="login?account=${encodeURIComponent(account)}&amp;paste=1">Paste the address</a> that the
        browser ends at, or
      </li>
      <li>type a code on any device: <code>sub2api_simple login ${shellWord(account)} --device</code></li>
    </ol>`;
  return page({ status: 409, title: `Port ${port} is busy`, tone: "bad", body });
}

export interface PasteForm {
  readonly account: string;
  /** Where the issuer's page is. */
  readonly url: string;
  readonly formKey: string;
  /** The port that the browser will not reach. */
  readonly port: number;
  /** What came of the attempt before. */
  readonly notice?: string;
}

/** For a browser elsewhere. The form goes to `paste` beside the page. */
export function pastePage(form: PasteForm, status: number, headers: Extra): Response {
  const { account, url, formKey, port, notice } = form;
  const body = markup`${notice === undefined ? undefined : markup`<p class="warning" role="alert">${notice}</p>`}
    <ol>
      <li>
        <a class="button" href="${url}" target="_blank" rel="noopener noreferrer">Open the sign-in page</a>
      </li>
      <li>
        Sign in there. At the end your browser shows an error page at <code>localhost:${port}</code>: it looks
        for the gateway on your own machine. That is as it should be.
      </li>
      <li>Copy the address of that error page here, within 10 minutes.</li>
    </ol>
    <form method="post" action="paste">
      <input type="hidden" name="key" value="${formKey}" />
      <label for="address">The whole address, beginning with <code>http://localhost:${port}/</code></label>
      <textarea
        id="address"
        name="address"
        rows="4"
        required
        spellcheck="false"
        autocomplete="off"
      ></textarea>
      <button>Finish signing in</button>
    </form>
    <p class="warning">
      Paste only what came of a sign-in that you began on this page. Never paste an address for somebody else,
      and give yours to nobody: it opens the account.
    </p>`;
  return page({ status, title: `Sign ${account} in`, body, headers });
}

/** A name as a word of a command line. */
function shellWord(text: string): string {
  return /^[\w.@-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
