#!/bin/bash
# lb-stats on a balancer that serves: assertions, drain and ready, workers.
. "$(dirname "$0")/../lib.sh"
lab_ready lb-stats
on_lb1() { on lb1 lb-stats "$@"; }

expect 0 on_lb1 show --socket "$STATS"
says 'map(select(.record == "lb-server" and .backend == "apiservers")) | length == 3 and all(.status == "up" and .check == "L7OK" and .code == 200)'
expect 0 on_lb1 --socket "$STATS" --assert 'up(apiservers)>=3'
expect 1 on_lb1 --socket "$STATS" --assert 'up(apiservers)>=4'
proved "three servers are up, each answered 200"

expect 0 on_lb1 drain apiservers/cp1 --socket "$STATS" --wait-sessions 0 --timeout 10s
says 'length == 1'
expect 0 on_lb1 drain apiservers/cp1 --socket "$STATS" --wait-sessions 0 --timeout 10s
says 'length == 0'
expect 0 on_lb1 show --socket "$STATS"
says 'map(select(.server == "cp1"))[0].status == "drain"'
expect 0 on_lb1 ready apiservers/cp1 --socket "$STATS"
expect 0 on_lb1 show --socket "$STATS"
says 'map(select(.server == "cp1"))[0].status == "up"'
proved "drained, drained already, ready again"

expect 0 on_lb1 workers --master "$MASTER"
says 'map(select(.record == "lb-worker")) | length >= 1'
expect 3 on_lb1 show --socket /run/nobody.sock
proved "workers are listed; a missing socket is status 3"
healthy
