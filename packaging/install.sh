#!/bin/sh
# Installs the gateway as a systemd service, or takes it away. Running it again updates the program.
#
#   sudo sh packaging/install.sh [--binary FILE] [--dry-run]
#   sudo sh packaging/install.sh --uninstall [--dry-run]
#
# --binary FILE   the program; default: output/sub2api_simple, which `npm run build` makes
# --dry-run       says what would be done
#
# The config and the data (/var/lib/sub2api_simple) and the keys (/etc/sub2api_simple.env) are never taken away.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
binary=$here/../output/sub2api_simple
name=sub2api_simple
state=/var/lib/$name
keys=/etc/$name.env
program=/usr/local/bin/$name
unit=/etc/systemd/system/$name.service
dry=no
what=install

while [ $# -gt 0 ]; do
  case $1 in
    --binary) binary=${2:?--binary needs a file}; shift ;;
    --dry-run) dry=yes ;;
    --uninstall) what=uninstall ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "install.sh: unknown option $1; see --help" >&2; exit 2 ;;
  esac
  shift
done
case $binary in /*) ;; *) binary=$PWD/$binary ;; esac

# Does it, or says it.
step() {
  echo "+ $*"
  [ "$dry" = yes ] || "$@"
}

# As the service will run: without root's environment, whose keys the service would not have.
as_service() {
  step runuser -u "$name" -- env -i "HOME=$state" "$@"
}

fail() {
  echo "install.sh: $1" >&2
  exit 1
}

if [ "$dry" = no ]; then
  [ "$(id -u)" -eq 0 ] || fail "this needs root; --dry-run shows what it would do"
  systemctl show --property=Version >/dev/null 2>&1 || fail "there is no systemd running here"
fi
# The folder that root was in may be closed to the service's user.
cd /

if [ "$what" = uninstall ]; then
  [ ! -e "$unit" ] || step systemctl disable --now "$name.service"
  step rm -f "$unit" "$program"
  step systemctl daemon-reload
  echo "Still there: the config and the data in $state, the keys in $keys, the user $name."
  exit 0
fi

[ -f "$binary" ] || fail "there is no program at $binary; make it with: npm ci && npm run build"
id "$name" >/dev/null 2>&1 ||
  step useradd --system --user-group --no-create-home --home-dir "$state" --shell /usr/sbin/nologin "$name"
step install -d -m 0700 -o "$name" -g "$name" "$state"
# systemd reads it as root; made here, so that nobody makes it readable for all.
[ -e "$keys" ] || step install -m 0600 /dev/null "$keys"
# A running program's file cannot be written to, but it can be replaced: by one that runs here.
[ "$dry" = yes ] || trap 'rm -f "$program.new"' EXIT
step install -m 0755 "$binary" "$program.new"
as_service "$program.new" --version || fail "$binary does not run here, so nothing was replaced"
step mv -f "$program.new" "$program"
step install -m 0644 "$here/$name.service" "$unit"
step systemctl daemon-reload
if [ ! -f "$state/config.json" ]; then
  as_service "$program" init --yes -config "$state/config.json"
  echo "As a service: put an account into $state/config.json, the keys that it names as \${NAME} into $keys, then:"
  echo "  systemctl enable --now $name"
elif systemctl is-active --quiet "$name.service" 2>/dev/null; then
  echo "Running requests may end first; that takes up to shutdown_grace."
  step systemctl restart "$name.service"
else
  echo "Next: systemctl enable --now $name"
fi
