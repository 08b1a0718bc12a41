# shellcheck shell=bash
# What stories share. A story sources this, says what it proves as it goes, and
# leaves the lab healthy.
set -euo pipefail
shopt -s inherit_errexit

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export LAB=${LAB:-bpe2e}
# shellcheck source=scripts/lib/lab.sh
. "$ROOT/scripts/lib/lab.sh"

WORK=$(mktemp -d)
OUT=$WORK/out
ERR=$WORK/err
trap 'story_end $?' EXIT
trap 'echo "cut off at: $BASH_COMMAND"; exit 143' TERM INT

lab() { "$ROOT/scripts/ha-lab" "$@"; }

story_end() {
  local status=$1
  trap - EXIT
  if [ "$status" != 0 ] && [ "$status" != 77 ]; then
    [ ! -s "$OUT" ] || sed 's/^/stdout: /' "$OUT" | tail -20
    [ ! -s "$ERR" ] || sed 's/^/stderr: /' "$ERR" | tail -20
    # A lab in an unknown state would fail the next story too.
    [ ! -d "$STATE" ] || lab down
  fi
  rm -rf "$WORK"
  exit "$status"
}

proved() { echo "proved: $* ($SECONDS s)"; }

fail() {
  echo "failed: $*"
  exit 1
}

skip() {
  echo "skipped: $*"
  exit 77
}

# The shared lab, healthy; brought up if it is not there.
lab_ready() {
  local tool
  [ "$(id -u)" = 0 ] || skip "network namespaces need root"
  for tool in haproxy keepalived ip socat jq "$@"; do
    command -v "$tool" >/dev/null || skip "$tool is missing"
  done
  [ -d "$STATE" ] || lab up
  healthy
}

healthy() {
  lab heal
  lab settle 30 || fail "the lab does not settle: $(lab status 2>&1)"
}

# expect STATUS COMMAND…: runs it; its output is in $OUT and $ERR.
expect() {
  local want=$1 got=0
  shift
  "$@" >"$OUT" 2>"$ERR" || got=$?
  [ "$got" = "$want" ] || fail "status $got, not $want: $*"
}

# says FILTER: the filter holds for the list of records that were printed.
says() {
  jq -es "$1" "$OUT" >/dev/null || fail "the records do not say: $1"
}

complains() { grep -q -- "$1" "$ERR" || fail "standard error does not say: $1"; }

# What is in a directory, hidden files as well, on one line.
files_in() { find "$1" -mindepth 1 -maxdepth 1 -printf '%f\n' | LC_ALL=C sort | xargs; }

# within SECONDS COMMAND…: it answers yes in time.
within() { wait_for "$@" || fail "not within $1 s: ${*:2}"; }

check_on() { on "$1" ha-vipcheck --url https://127.0.0.1:6443/readyz --cacert "$CA" --server-name kubernetes --vip "$VIP4" "${@:2}"; }
both_hold() { held_by "lb1 lb2"; }

# The balancer that holds the address, and the other one.
holder() { holders "$VIP4" | head -1; }
other() { [ "$1" = lb1 ] && echo lb2 || echo lb1; }
held_by() { [ "$(holders "$VIP4" | xargs)" = "$1" ]; }
