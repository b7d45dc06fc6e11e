// What packaging/ says of the image, the service and the agent fits the program and the sources.
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { configSchema } from "../../src/config/schema.ts";
import { pick } from "../support/json-pick.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const read = (name: string): string => readFileSync(join(ROOT, name), "utf8");
const dockerfile = read("packaging/Dockerfile");
const compose = pick(Bun.YAML.parse(read("packaging/compose.yaml")), "services", "gateway");
const unit = read("packaging/sub2api_simple.service");
const agent = read("packaging/com.sub2api_simple.plist");

/** What the image takes of the sources. */
const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = ""]) =>
  names.split(" "),
);

test("the image takes only files that are there", () => {
  expect(copied.length).toBeGreaterThan(3);
  expect(copied.filter((name) => !existsSync(join(ROOT, name)))).toEqual([]);
});

test("what the image takes is all that the builder is shown: no config, no data, no keys", () => {
  const rules = read(".dockerignore")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  expect(rules[0]).toBe("*");
  const shown = rules.flatMap((rule) => (rule.startsWith("!") ? [rule.slice(1)] : []));
  expect(shown.toSorted()).toEqual(copied.toSorted());
});

test("the image runs as nobody in particular, and its config lies in its volume", () => {
  expect(dockerfile).toMatch(/^FROM .*:nonroot$/m);
  const [, volume = ""] = /^VOLUME (\S+)$/m.exec(dockerfile) ?? [];
  expect(volume).toStartWith("/var/lib/");
  expect(dockerfile).toContain(`SUB2API_CONFIG=${volume}/config.json\n`);
  expect(compose).toMatchObject({ volumes: [`state:${volume}`], read_only: true, cap_drop: ["ALL"] });
});

test("whatever stops the gateway gives it longer than it gives its requests", () => {
  const graceSeconds = configSchema.shape.shutdown_grace.parse(undefined) / 1_000;
  const given = [
    [/TimeoutStopSec=(\d+)\n/, unit],
    [/^(\d+)s$/, String(pick(compose, "stop_grace_period"))],
    [/<key>ExitTimeOut<\/key>\s*<integer>(\d+)</, agent],
    [/docker run -d .*--stop-timeout (\d+)/, dockerfile],
  ] as const;
  for (const [pattern, text] of given)
    expect(Number(pattern.exec(text)?.[1])).toBeGreaterThanOrEqual(graceSeconds + 5);
});

test("nothing that could hold a key is left readable: no cores, no open files", () => {
  expect(unit).toContain("\nLimitCORE=0\n");
  expect(unit).toContain("\nUMask=0077\n");
  expect(pick(compose, "ulimits", "core")).toBe(0);
  expect(agent).toMatch(/<key>HardResourceLimits<\/key>\s*<dict>\s*<key>Core<\/key>\s*<integer>0</);
  // launchd reads decimal: 0o077.
  expect(agent).toMatch(/<key>Umask<\/key>\s*<integer>63</);
});

test("the service has no rights, and what it needs in spite of that: a sign-in lists the machine's addresses", () => {
  for (const line of ["NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet="])
    expect(unit).toContain(`\n${line}\n`);
  const [, families = ""] = /^RestrictAddressFamilies=(.+)$/m.exec(unit) ?? [];
  expect(families.split(" ").toSorted()).toEqual(["AF_INET", "AF_INET6", "AF_NETLINK", "AF_UNIX"]);
});

test("the gateway in the composition speaks to this machine only, and its log does not fill the disk", () => {
  expect(pick(compose, "ports")).toEqual(["127.0.0.1:8080:8080"]);
  const options = { "max-size": expect.stringMatching(/^\d+m$/), "max-file": expect.stringMatching(/^\d+$/) };
  expect(pick(compose, "logging", "options")).toEqual(options);
});
