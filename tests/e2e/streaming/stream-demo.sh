#!/bin/bash
# The demo of the stream, small: SQLite to windows to a lake, commands killed at random, every count judged.
. "$(dirname "$0")/../lib.sh"
need python3=python3 jq=jq || skip "python3 or jq is missing"
expect 0 "$ROOT/scripts/stream-demo" --rows 20000
grep -q 'Every count adds up' "$OUT" || fail "it does not say that its counts add up"
[ "$(grep -o '^[0-9]* commands' "$OUT" | cut -d' ' -f1)" -ge 1 ] || fail "no command was killed"
proved "$(grep -o '^[0-9]* commands were killed. Every count adds up' "$OUT")"
