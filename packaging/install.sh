#!/bin/sh
# Installs the gateway as a systemd service, or takes it away. Running it again updates the program.
#
#   sudo sh packaging/install.sh [--binary FILE] [--dry-run]
#   sudo sh packaging/install.sh --uninstall [--dry-run]
#
# --binary FILE   the program; default: output/sub2api_simple, which `npm run build` makes
# --dry-run       says what would be done
#
# The config and the data (/var/lib/sub2api_simple) are never taken away.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
binary=$here/../output/sub2api_simple
name=sub2api_simple
state=/var/lib/$name
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

# Does it, or says it.
step() {
  echo "+ $*"
  [ "$dry" = yes ] || "$@"
}

if [ "$dry" = no ] && [ "$(id -u)" -ne 0 ]; then
  echo "install.sh: this needs root; --dry-run shows what it would do" >&2
  exit 1
fi

if [ "$what" = uninstall ]; then
  [ ! -e "$unit" ] || step systemctl disable --now "$name.service"
  step rm -f "$unit" "$program"
  step systemctl daemon-reload
  echo "The config and the data are still in $state, the user $name too."
  exit 0
fi

if [ ! -f "$binary" ]; then
  echo "install.sh: there is no program at $binary; make it with: npm ci && npm run build" >&2
  exit 1
fi
id "$name" >/dev/null 2>&1 || step useradd --system --home-dir "$state" --shell /usr/sbin/nologin "$name"
# A running program's file cannot be written to, but it can be replaced.
step install -m 0755 "$binary" "$program.new"
step mv -f "$program.new" "$program"
step install -d -m 0700 -o "$name" -g "$name" "$state"
step install -m 0644 "$here/$name.service" "$unit"
step systemctl daemon-reload
if [ ! -f "$state/config.json" ]; then
  step runuser -u "$name" -- "$program" init --yes -config "$state/config.json"
  echo "Next: put an account into $state/config.json, then: systemctl enable --now $name"
elif systemctl is-active --quiet "$name.service" 2>/dev/null; then
  step systemctl restart "$name.service"
else
  echo "Next: systemctl enable --now $name"
fi
