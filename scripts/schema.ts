// Writes config.schema.json from the schema that checks configs: `bun scripts/schema.ts`.

import { join } from "node:path";
import { configJsonSchema } from "../src/config/json-schema.ts";

const root = join(import.meta.dir, "..");
await Bun.write(join(root, "config.schema.json"), `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
await Bun.$`node_modules/.bin/oxfmt config.schema.json`.cwd(root).quiet();
