#!/bin/bash
# An API server's process dies: nobody notices, the balancers take it out.
. "$(dirname "$0")/../lib.sh"
lab_ready lb-stats
lab break api-killed cp1
for _ in $(seq 20); do ask_vip || fail "a request failed"; done
proved "no request of twenty failed while the balancers found out"

down() { on lb1 lb-stats show --socket "$STATS" | jq -es 'map(select(.record == "lb-server" and .server == "cp1"))[0].status == "down"'; }
within 10 down
expect 1 on lb1 lb-stats --socket "$STATS" --assert 'up(apiservers)>=3'
expect 0 on lb1 lb-stats --socket "$STATS" --assert 'up(apiservers)>=2'
proved "lb-stats: cp1 is down, two are up"

healthy
proved "cp1 is back"
