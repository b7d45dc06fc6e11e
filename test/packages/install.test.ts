// What the installer does, with every command that it calls replaced by one that only writes down how it was called;
// and that the unit fits what it puts there.
import { afterAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..", "..");
const SCRIPT = join(ROOT, "packaging", "install.sh");
const PROGRAM = "/usr/local/bin/sub2api_simple";
const STATE = "/var/lib/sub2api_simple";
const KEYS = "/etc/sub2api_simple.env";
const KEYS_STEP = `install -m 0600 /dev/null ${KEYS}`;
const folder = await mkdtemp(join(tmpdir(), "install-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Nothing else is on the path, so that no test can change the machine. */
const STAND_INS = ["id", "useradd", "install", "mv", "rm", "runuser", "systemctl"];
const REAL = ["dirname", "sed"];
const STAND_IN = `#!/bin/sh
call="\${0##*/} $*"
echo "$call" >>"$CALLS"
case $call in
  "id -u") echo "$ID" ;;
  "id "*) exit 1 ;;
esac
[ -z "$FAILS" ] || case $call in *"$FAILS"*) exit 1 ;; esac
`;
const binary = join(folder, "program");
await writeFile(binary, "a program\n");
const bin = join(folder, "stand-in");
await writeFile(bin, STAND_IN);
await chmod(bin, 0o755);
const path = await mkdtemp(join(folder, "path-"));
await Promise.all([
  ...STAND_INS.map((name) => symlink(bin, join(path, name))),
  ...REAL.map((name) => symlink(Bun.which(name) ?? "", join(path, name))),
]);

interface Machine {
  /** The user's number. */
  readonly id?: string;
  /** Part of the command that fails. */
  readonly fails?: string;
  readonly cwd?: string;
}

async function install(args: readonly string[], { id = "0", fails = "", cwd = ROOT }: Machine = {}) {
  const calls = join(folder, "calls");
  await writeFile(calls, "");
  const env = { PATH: path, CALLS: calls, ID: id, FAILS: fails, ANTHROPIC_API_KEY: "sk-ant-of-root" };
  const child = Bun.spawnSync(["/bin/sh", SCRIPT, ...args], { cwd, env });
  const asked = (await readFile(calls, "utf8")).split("\n").slice(0, -1);
  const looks = /^id |^systemctl (?:show|is-active) /;
  const changes = asked.filter((call) => !looks.test(call) && call !== KEYS_STEP);
  return { code: child.exitCode, out: child.stdout.toString(), err: child.stderr.toString(), changes };
}

/** The lines that say what is done. The keys' file is made where it is missing, which may be anywhere. */
function steps(out: string): string[] {
  const said = out.split("\n").flatMap((line) => (line.startsWith("+ ") ? [line.slice(2)] : []));
  return said.filter((step) => step !== KEYS_STEP);
}

const UPDATE = [
  `install -d -m 0700 -o sub2api_simple -g sub2api_simple ${STATE}`,
  `install -m 0755 ${binary} ${PROGRAM}.new`,
  `runuser -u sub2api_simple -- env -i HOME=${STATE} ${PROGRAM}.new --version`,
  `mv -f ${PROGRAM}.new ${PROGRAM}`,
  `install -m 0644 ${join(ROOT, "packaging", "sub2api_simple.service")} /etc/systemd/system/sub2api_simple.service`,
  "systemctl daemon-reload",
];

test("it makes the user, its folder and its keys' file, tries the program, and only then replaces the old one", async () => {
  const { code, out, changes } = await install(["--binary", binary]);
  expect(code).toBe(0);
  const done = steps(out);
  expect(changes.slice(0, done.length)).toEqual(done);
  expect(done[0]).toStartWith("useradd --system --user-group --no-create-home ");
  expect(done.slice(1, 1 + UPDATE.length)).toEqual(UPDATE);
  expect(out.includes(KEYS_STEP)).toBe(!existsSync(KEYS));
});

test("a dry run says the same steps, as any user, and does none", async () => {
  const { out } = await install(["--binary", binary]);
  const dry = await install(["--dry-run", "--binary", binary], { id: "1000", fails: "systemctl show" });
  expect(dry).toMatchObject({ code: 0, changes: [] });
  expect(steps(dry.out)).toEqual(steps(out));
  expect(steps(dry.out).length).toBeGreaterThanOrEqual(UPDATE.length);
});

test("a program that does not run here replaces nothing, and leaves nothing behind", async () => {
  const { code, err, changes } = await install(["--binary", binary], { fails: ".new --version" });
  expect(code).toBe(1);
  expect(err).toContain(`${binary} does not run here, so nothing was replaced`);
  expect(changes.filter((call) => call.startsWith("mv "))).toEqual([]);
  expect(changes.at(-1)).toBe(`rm -f ${PROGRAM}.new`);
});

test("a step that fails ends it: what comes after would build on it", async () => {
  const { code, changes } = await install(["--binary", binary], { fails: "useradd" });
  expect(code).not.toBe(0);
  expect(changes.map((call) => call.split(" ")[0])).toEqual(["useradd"]);
});

test("the program's path may be relative to where one is", async () => {
  const { out } = await install(["--dry-run", "--binary", "program"], { cwd: folder });
  expect(steps(out)).toContain(`install -m 0755 ${binary} ${PROGRAM}.new`);
});

test("whoever is not root is told, and nothing is done, neither in nor out", async () => {
  for (const args of [["--binary", binary], ["--uninstall"]]) {
    const { code, out, err, changes } = await install(args, { id: "1000" });
    expect([code, out, changes]).toEqual([1, "", []]);
    expect(err).toContain("needs root");
  }
});

test("a machine without systemd is told before anything is changed", async () => {
  const { code, out, err, changes } = await install(["--binary", binary], { fails: "systemctl show" });
  expect([code, out, changes]).toEqual([1, "", []]);
  expect(err).toContain("no systemd");
});

test("taking it away leaves the config, the data and the keys, and says where they are", async () => {
  for (const args of [["--uninstall", "--dry-run"], ["--uninstall"]]) {
    const { code, out, changes } = await install(args);
    expect(code).toBe(0);
    const removals = steps(out).filter((step) => step.startsWith("rm "));
    expect(removals).toEqual([`rm -f /etc/systemd/system/sub2api_simple.service ${PROGRAM}`]);
    expect(changes).toEqual(args.includes("--dry-run") ? [] : steps(out));
    for (const kept of [STATE, KEYS]) expect(out).toContain(`in ${kept},`);
  }
});

test("a program that is not there and an option that is not known are told", async () => {
  const missing = await install(["--dry-run", "--binary", "/nowhere/at/all"]);
  expect(missing).toMatchObject({ code: 1, out: "" });
  expect(missing.err).toContain("no program at /nowhere/at/all; make it with: npm ci && npm run build");
  expect(await install(["--binary"])).toMatchObject({ code: 2, out: "", changes: [] });
  const unknown = await install(["--frobnicate"]);
  expect(unknown).toMatchObject({ code: 2, out: "", changes: [] });
  expect(unknown.err).toContain("unknown option --frobnicate");
});

test("--help says every option, and the folder that is never taken away", async () => {
  const { code, out, err } = await install(["--help"], { id: "1000" });
  expect([code, err]).toEqual([0, ""]);
  for (const word of ["--binary", "--dry-run", "--uninstall", STATE]) expect(out).toContain(word);
});

test("every path in the unit is one that the installer makes", async () => {
  const unit = await readFile(join(ROOT, "packaging", "sub2api_simple.service"), "utf8");
  const made = [KEYS_STEP, ...steps((await install(["--dry-run", "--binary", binary])).out)].join("\n");
  const settings = unit.split("\n").filter((line) => !/^#|^ExecReload=/.test(line));
  const paths = settings.flatMap((line) => line.match(/(?<![\w.])\/[\w./]+/g) ?? []);
  for (const path of [PROGRAM, STATE, KEYS]) expect(paths.some((each) => each.startsWith(path))).toBe(true);
  const config = `${STATE}/config.json`;
  expect(paths.filter((each) => each !== config && !new RegExp(`${each}$`, "m").test(made))).toEqual([]);
  expect(unit).toContain(`ExecStart=${PROGRAM} serve -config ${config}\n`);
  for (const setting of ["User", "Group", "StateDirectory"])
    expect(unit).toContain(`\n${setting}=sub2api_simple\n`);
});
