#!/bin/bash
# An API server answers 500 on its health paths: alive for TCP and TLS, sick
# for clients.
. "$(dirname "$0")/../lib.sh"
lab_ready lb-stats
lab break api-500 cp1
down() { on lb1 lb-stats show --socket "$STATS" | jq -es 'map(select(.record == "lb-server" and .server == "cp1"))[0] | .status == "down" and .code == 500'; }
within 10 down
proved "haproxy asked /readyz, got 500 and took cp1 out"

for _ in $(seq 20); do ask_vip || fail "a client got the 500"; done
proved "twenty clients got 200"
healthy
