#!/bin/bash
# etcd-check's verdict is right for every number of members killed, of three and of five.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/scripts/lib/etcd.sh"
etcd_needs || skip "etcd is missing"
E=$WORK/etcd
trap 'status=$?; etcd_down "$E"; etcd_down "$WORK/five"; story_end $status' EXIT

check() { etcd-check check --ca "$E/pki/ca.crt" --cert "$E/pki/client.crt" --key "$E/pki/client.key" --timeout "${WAIT:-5s}" --endpoints "$@"; }
quorum() { says "any(.check == \"quorum\" and .status == \"$1\")"; }
healthy_members() { says "map(select(.record == \"etcd-member\" and .healthy)) | length == $1"; }

etcd_up "$E" 25300 3 || fail "etcd does not come up"
expect 0 check "$(cat "$E/endpoints")"
quorum pass && healthy_members 3
says 'map(select(.record == "etcd-member" and .leads)) | length == 1'
says 'map(select(.record == "etcd-member")) | all(.version == "3.4.23" or (.quota_bytes == 2147483648 and .leader_changes >= 1 and .raft_applied_index > 0))'
proved "three of three: healthy, one leads, metrics are read with the client's certificate"

expect 0 check "$(etcd_url "$E" m2)"
healthy_members 3
proved "one endpoint is enough to find the others"

expect 2 etcd-check check --endpoints "$(etcd_url "$E" m1)"
expect 2 etcd-check check --ca "$E/pki/ca.crt" --endpoints "$(etcd_url "$E" m1)"
complains 'none answers'
expect 2 etcd-check check --ca "$E/pki/client.crt" --cert "$E/pki/client.crt" --key "$E/pki/client.key" --endpoints "$(etcd_url "$E" m1)"
# Another member that is down changes nothing about it.
expect 2 etcd-check check --ca "$E/pki/client.crt" --cert "$E/pki/client.crt" --key "$E/pki/client.key" --endpoints "$(etcd_url "$E" m1),https://127.0.0.1:1"
proved "without a certificate, or with the wrong CA, the status is 2"

kill -STOP "$(cat "$E/m3.pid")"
WAIT=6s expect 1 timeout 10 etcd-check check --ca "$E/pki/ca.crt" --cert "$E/pki/client.crt" --key "$E/pki/client.key" --timeout 6s --endpoints "$(cat "$E/endpoints")"
kill -CONT "$(cat "$E/m3.pid")"
says 'any(.check == "unreachable" and .target == "m3")'
says 'any(.name == "m3" and .error == "timeout")'
quorum warn
proved "a member that hangs costs time, not the answer"
wait_for 10 etcd_ctl "$E" endpoint health

etcd_kill "$E" m1
wait_for 10 etcd_ctl "$E" get x
expect 1 check "$(cat "$E/endpoints")"
quorum warn && healthy_members 2
says 'any(.check == "unreachable" and .target == "m1" and .status == "fail")'
proved "two of three: a majority holds, the dead one is named"

expect 0 etcd-check save --ca "$E/pki/ca.crt" --cert "$E/pki/client.crt" --key "$E/pki/client.key" --endpoints "$(cat "$E/endpoints")" --out "$WORK/two.db"
proved "with one of three dead a backup is taken all the same"

etcd_kill "$E" m2
expect 1 check "$(cat "$E/endpoints")"
quorum fail && healthy_members 0
says 'map(select(.check == "unreachable").target) | sort == ["m1", "m2"]'
proved "one of three: no majority"

sleep 2 # until it notices that its leader is gone
expect 1 etcd-check save --ca "$E/pki/ca.crt" --cert "$E/pki/client.crt" --key "$E/pki/client.key" --endpoints "$(cat "$E/endpoints")" --out "$WORK/one.db"
says 'any(.record == "step" and .error == "guard")'
[ ! -e "$WORK/one.db" ] || fail "a refused backup was written"
expect 0 etcd-check save --force --ca "$E/pki/ca.crt" --cert "$E/pki/client.crt" --key "$E/pki/client.key" --endpoints "$(cat "$E/endpoints")" --out "$WORK/one.db"
expect 0 etcd-check verify "$WORK/one.db"
proved "without a majority a backup is refused, and taken with --force"

etcd_kill "$E" m3
expect 3 check "$(cat "$E/endpoints")"
complains 'none answers'
proved "none of three: status 3"

E=$WORK/five
etcd_up "$E" 25400 5 || fail "five members do not come up"
expect 0 check "$(cat "$E/endpoints")"
for dead in 1 2 3 4; do
  etcd_kill "$E" "m$dead"
  if [ "$dead" -le 2 ]; then
    wait_for 10 etcd_ctl "$E" get x
  else
    sleep 2
  fi
  expect 1 check "$(cat "$E/endpoints")"
  says "map(select(.check == \"unreachable\")) | length == $dead"
  case $dead in 1) quorum pass ;; 2) quorum warn ;; *) quorum fail ;; esac
done
etcd_kill "$E" m5
expect 3 check "$(cat "$E/endpoints")"
proved "one to five of five: pass, warn, fail, fail, status 3"
