# shellcheck shell=bash
# How the scripts speak: to standard error, one line each, with the script's name.

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
  local status=$1
  shift
  say "$@"
  exit "$status"
}

# wait_for SECONDS COMMAND…: until it answers yes; no if it does not in time.
wait_for() {
  local until=$((SECONDS + $1 + 1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$until" ] || return 1
    sleep 0.05
  done
}
