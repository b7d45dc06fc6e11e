// What packaging/ says fits together: the installer, the unit, the image.
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..", "..");
const read = (name: string): string => readFileSync(join(ROOT, "packaging", name), "utf8");
const BINARY = join(ROOT, "bin", "sub2api_simple");

function install(...args: readonly string[]) {
  const child = Bun.spawnSync(["sh", join(ROOT, "packaging", "install.sh"), ...args]);
  return { code: child.exitCode, out: child.stdout.toString(), err: child.stderr.toString() };
}

test("the installer's dry run says each step, in an order that works, and does none", () => {
  const { code, out } = install("--dry-run", "--binary", BINARY);
  expect(code).toBe(0);
  const steps = [
    "useradd --system",
    "install -m 0755",
    "mv -f",
    "install -d -m 0700",
    "install -m 0644",
    "daemon-reload",
  ];
  const places = steps.map((step) => out.indexOf(step));
  expect(places.every((place) => place >= 0)).toBe(true);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(existsSync("/etc/systemd/system/sub2api_simple.service")).toBe(false);
});

test("taking it away leaves the config and the data, and says where", () => {
  const { code, out } = install("--uninstall", "--dry-run");
  expect(code).toBe(0);
  expect(out).toContain("+ rm -f /etc/systemd/system/sub2api_simple.service /usr/local/bin/sub2api_simple");
  expect(out).not.toMatch(/rm .*\/var\/lib/);
  expect(out).toContain("still in /var/lib/sub2api_simple");
});

test("a program that is not there and an option that is not known are told", () => {
  expect(install("--dry-run", "--binary", "/nowhere/at/all")).toMatchObject({ code: 1, out: "" });
  expect(install("--dry-run", "--binary", "/nowhere/at/all").err).toContain("npm run build");
  expect(install("--frobnicate")).toMatchObject({ code: 2, out: "" });
  expect(install("--help").out).toContain("--dry-run");
});

test("the unit starts what the installer puts there, as the user it makes, and waits longer than a drain", () => {
  const unit = read("sub2api_simple.service");
  const script = read("install.sh");
  expect(unit).toContain(
    "ExecStart=/usr/local/bin/sub2api_simple serve -config /var/lib/sub2api_simple/config.json",
  );
  expect(script).toContain("program=/usr/local/bin/$name");
  expect(script).toContain("state=/var/lib/$name");
  expect(unit).toContain("User=sub2api_simple");
  expect(unit).toContain("StateDirectory=sub2api_simple");
  expect(Number(/TimeoutStopSec=(\d+)/.exec(unit)?.[1])).toBeGreaterThan(120);
  for (const hardening of [
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "CapabilityBoundingSet=\n",
    "UMask=0077",
  ])
    expect(unit).toContain(hardening);
});

test("the image takes only files that are there, and runs as nobody in particular", () => {
  const file = read("Dockerfile");
  const copied = [...file.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = ""]) =>
    names.split(" "),
  );
  expect(copied.length).toBeGreaterThan(3);
  expect(copied.filter((name) => !existsSync(join(ROOT, name)))).toEqual([]);
  expect(file).toMatch(/^FROM .*:nonroot$/m);
  expect(file).toContain("HEALTHCHECK");
});
