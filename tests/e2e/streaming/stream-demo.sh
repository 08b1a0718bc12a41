#!/bin/bash
# The demo of the stream, small: SQLite to windows to a lake, every command killed once, every count judged.
. "$(dirname "$0")/../lib.sh"
need python3=python3 jq=jq || skip "python3 or jq is missing"
expect 0 "$ROOT/scripts/stream-demo" --rows 20000
grep -q 'Every count adds up' "$OUT" || fail "it does not say that its counts add up"
proved "$(grep -o '^[0-9]* commands were killed. Every count adds up' "$OUT")"
