#!/bin/bash
# An API server is cut off without a word: connections to it hang.
. "$(dirname "$0")/../lib.sh"
lab_ready lb-stats
lab break api-silent cp2
down() { on lb1 lb-stats show --socket "$STATS" | jq -es 'map(select(.record == "lb-server" and .server == "cp2"))[0].status == "down"'; }
within 10 down
for _ in $(seq 20); do ask_vip || fail "a request failed after cp2 was taken out"; done
proved "cp2 was taken out within seconds, and no request after that failed"
healthy
