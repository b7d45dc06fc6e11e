// Who the gateway says it is, in its own requests.

export const VERSION = "0.1.0";
export const USER_AGENT = `sub2api_simple/${VERSION}`;

/** The Bun that the tests run on, as package.json pins it. */
export const RUNTIME = "1.4.5";
