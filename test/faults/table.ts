// Every row of the fault matrix that is played here, in order of its number.
import { ROWS as answers } from "./answers.ts";
import { ROWS as client } from "./client.ts";
import { ROWS as connect } from "./connect.ts";
import { ROWS as cut } from "./cut.ts";
import { ROWS as framing } from "./framing.ts";
import { ROWS as front } from "./front.ts";
import { ROWS as inflated } from "./inflated.ts";
import { ROWS as leaving } from "./leaving.ts";
import { ROWS as limits } from "./limits.ts";
import { ROWS as pool } from "./pool.ts";
import { ROWS as process } from "./process.ts";
import { ROWS as proxied } from "./proxied.ts";
import { ROWS as queue } from "./queue.ts";
import { ROWS as reload } from "./reload.ts";
import { ROWS as road } from "./road.ts";
import type { Row } from "./row.ts";
import { ROWS as silence } from "./silence.ts";
import { ROWS as splits } from "./splits.ts";
import { ROWS as status } from "./status.ts";
import { ROWS as thrown } from "./thrown.ts";

export const TABLE: readonly Row[] = [
  ...connect,
  ...road,
  ...proxied,
  ...framing,
  ...inflated,
  ...silence,
  ...cut,
  ...answers,
  ...splits,
  ...limits,
  ...status,
  ...client,
  ...front,
  ...pool,
  ...queue,
  ...reload,
  ...leaving,
  ...process,
  ...thrown,
].toSorted((a, b) => a.number - b.number);
