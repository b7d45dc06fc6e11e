// The scripted issuer in a process of its own, for tests that kill the one under test: prints one line of JSON with its
// `url` and lives until its standard input ends. `bun issuer-process.ts ['{"clientId": ..., "settings": {...}}']`

import { startIssuer, type IssuerOptions } from "./issuer.ts";

const options = JSON.parse(process.argv[2] ?? "{}") as Omit<IssuerOptions, "now">;
const issuer = await startIssuer(options);
console.log(JSON.stringify({ url: issuer.url }));
// Its parent may be killed as well, and then nobody else would end it.
for await (const _ of Bun.stdin.stream());
process.exit(0);
