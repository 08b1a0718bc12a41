#!/bin/bash
# node-replace on a real API server over three real members of etcd: dead and living nodes, guards, kills, undo.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/scripts/lib/oracles.sh"
. "$ROOT/scripts/lib/controlplane.sh"
. "$ROOT/scripts/lib/objects.sh"
. "$ROOT/scripts/lib/etcd.sh"
if [ -z "${IN_NAMESPACE:-}" ]; then
  can_namespace || skip "network namespaces need root"
  oracles || skip "the oracles are not built"
  { etcd_needs && need curl=curl; } || skip "etcd, jq or curl is missing"
  rm -rf "$WORK"
  # Everything happens in a network of its own, so that nobody else has these addresses.
  IN_NAMESPACE=1 exec unshare --net "$BASH" "$0"
fi
API_DIR=$WORK/api API_PORT=26443 E=$WORK/etcd
trap 'status=$?; down; story_end $status' EXIT
down() {
  [ -z "${KUBELETS:-}" ] || kill "$KUBELETS" 2>/dev/null || true
  control_plane_down "$API_DIR"
  etcd_down "$E"
}

ip link set lo up
for n in 21 22 23; do ip addr add "10.77.0.$n/32" dev lo; done
mkdir "$E"
ETCD_SAN=IP:10.77.0.21,IP:10.77.0.22,IP:10.77.0.23 etcd_pki "$E"
initial=""
for n in 1 2 3; do
  etcd_describe "$E" "m$n" "https://10.77.0.2$n:2379" "https://10.77.0.2$n:2380"
  sed -i "s/^ETCD_NAME=.*/ETCD_NAME=cp$n/" "$E/m$n.env"
  initial+=${initial:+,}cp$n=https://10.77.0.2$n:2380
done
etcd_together "$E" 3 "$initial" || fail "etcd does not come up"
CONTROL_PLANE_ETCD=$(cat "$E/endpoints") CONTROL_PLANE_ETCD_PKI=$E/pki
# No kubelet reports here: nobody is to be declared dead for it, and nothing of a node that left swept up before we look.
CONTROL_PLANE_MANAGER_FLAGS=(--node-monitor-grace-period=1h)
control_plane_up "$API_DIR" "$API_PORT" || fail "the control plane does not come up"
api_certificate
for n in 1 2 3; do node_joins "cp$n" "10.77.0.2$n" control; done
node_joins w1 10.77.0.31
workload DaemonSet kube-system agent 0 '{"app":"agent"}'
workload Deployment default web 4 '{"app":"web"}'
pods() { [ "$(api GET /api/v1/pods | jq "[.items[] | select(.metadata.deletionTimestamp | not)] | length")" = "$1" ]; }
wait_for 20 pods 8 || fail "the controllers make no pods"
pods_run

PLATFORM=$ROOT/tests/fixtures/examples/platform.yaml
replace() {
  node-replace "$1" --node "$2" --kubeconfig "$API_DIR/super-admin.conf" --journal "$WORK/journal-$2" \
    --ca "$E/pki/ca.crt" --cert "$E/pki/client.crt" --key "$E/pki/client.key" "${@:3}" "$PLATFORM"
}
members() { etcd_ctl "$E" member list | cut -d, -f3 | tr -d ' ' | sort | xargs; }
member_ids() { etcd_ctl "$E" member list | cut -d, -f1 | sort | xargs; }
node_is_there() { api GET "/api/v1/nodes/$1" >/dev/null 2>&1; }
cordoned() { [ "$(api GET "/api/v1/nodes/$1" | jq -r '.spec.unschedulable // false')" = true ]; }
pods_on() { api GET "/api/v1/pods?fieldSelector=spec.nodeName%3D$1" | jq -r "[.items[] | select(.metadata.labels.app == \"web\")] | length"; }

# A dead machine: its member is gone, its kubelet silent, its pods confirm nothing.
etcd_kill "$E" m3
node_reports cp3 '.conditions[0].status = "Unknown" | .conditions[0].reason = "NodeStatusUnknown"'
KUBELETS=""
(kubelets cp1 cp2 w1) &
KUBELETS=$!
[ "$(pods_on cp3)" -gt 0 ] || fail "no pod on cp3 to begin with"
before=$(member_ids)
expect 1 replace apply cp3
says 'any(.record == "step" and .step == "guard" and .error == "guard")'
complains 'cp3 is silent'
! cordoned cp3 || fail "a refused apply cordoned"
expect 1 replace plan cp3 --force
says 'map(.target) | (.[0] == "node/cp3" and .[-1] == "node/cp3" and any(startswith("etcd-member/")) and any(startswith("pod/default/web")))'
says 'all(.record == "change")'
! cordoned cp3 || fail "plan cordoned"
[ "$(member_ids)" = "$before" ] || fail "plan changed etcd"
expect 0 replace apply cp3 --force
says '[.[] | select(.record == "step").step] == ["guard", "cordon", "drain", "etcd-member", "node"]'
says 'any(.record == "next-step" and (.command | startswith("kubeadm-join renew --out")))'
says 'any(.record == "next-step" and .on == "cp3" and (.command | startswith("kubeadm-join apply --host cp3")))'
[ "$(members)" = "cp1 cp2" ] || fail "etcd has $(members)"
! node_is_there cp3 || fail "cp3 is a node still"
proved "a dead node: its pods, its member and itself are gone (kubespray#10649)"

expect 0 replace apply cp3
[ ! -s "$OUT" ] || fail "a second apply says something"
expect 0 replace plan cp3
expect 1 replace undo cp3
says 'any(.step == "undo" and .error == "guard")'
proved "a second apply does nothing, and undo is refused"

# Its successor has its name and its address.
joins_etcd() { etcd_ctl "$E" member add cp3 --peer-urls=https://10.77.0.23:2380; }
within 20 joins_etcd
rm -rf "$E/m3"
echo ETCD_INITIAL_CLUSTER_STATE=existing >>"$E/m3.env"
etcd_start "$E" m3
wait_for 20 etcd_ctl "$E" endpoint health || fail "the successor does not join etcd: $(tail -2 "$E/m3.log")"
node_joins cp3 10.77.0.23 control
after=$(member_ids)
[ "$after" != "$before" ] || fail "the successor has the id of the dead member"
untouched() { { node_is_there cp3 && [ "$(member_ids)" = "$after" ]; } || fail "$1"; }
expect 0 replace apply cp3 --force
[ ! -s "$OUT" ] || fail "the successor was touched"
untouched "the successor was touched"
# Killed before it noted that it was done: only what the journal means is removed, and that is gone.
jq '.state = "begun" | .steps |= map(.ended = (.step == "cordon" or .step == "drain"))' "$WORK/journal-cp3/journal.json" >"$WORK/old" && cp "$WORK/old" "$WORK/journal-cp3/journal.json"
expect 0 replace apply cp3 --force
untouched "the successor was taken for the dead one"
proved "a successor of the same name and address is left alone, whatever the journal"

etcd_kill "$E" m3
expect 1 replace apply cp2
says 'any(.step == "guard" and .error == "quorum")'
complains 'without it 1 of 2'
etcd_kill "$E" m2
sleep 2 # until the last one notices that its leader is gone
expect 1 replace apply cp2 --force
says 'any(.step == "guard" and .error == "quorum")'
complains 'nothing can be changed'
expect 1 replace plan cp2
etcd_start "$E" m2
etcd_start "$E" m3
wait_for 20 etcd_ctl "$E" endpoint health || fail "etcd does not come back"
wait_for 20 control_plane_get "$API_DIR" "$API_PORT" /readyz || fail "the API server does not come back"
! cordoned cp2 || fail "a refused apply cordoned"
proved "without a majority, now or afterwards, nothing is touched; --force does not help"

# A budget that allows nobody to go.
[ "$(pods_on cp2)" -gt 0 ] || fail "no pod on cp2 to begin with"
api POST /apis/policy/v1/namespaces/default/poddisruptionbudgets '{"metadata":{"name":"web"},"spec":{"minAvailable":4,"selector":{"matchLabels":{"app":"web"}}}}' >/dev/null
budget() { api GET /apis/policy/v1/namespaces/default/poddisruptionbudgets/web | jq -e ".status.disruptionsAllowed == $1 and .status.currentHealthy == 4"; }
within 20 budget 0
expect 3 replace apply cp2 --timeout 4s
says 'any(.step == "drain" and .error == "timeout")'
complains 'violate the pod'
cordoned cp2 || fail "cp2 is not cordoned"
expect 0 replace undo cp2
! cordoned cp2 || fail "undo left cp2 cordoned"
expect 0 replace undo cp2
proved "a budget holds the drain up until time is up; undo uncordons"

api POST /api/v1/namespaces/default/pods '{"metadata":{"name":"alone"},"spec":{"nodeName":"cp2","containers":[{"name":"c","image":"none"}]}}' >/dev/null
expect 1 replace apply cp2
complains 'nobody makes them again: default/alone'
api DELETE /api/v1/namespaces/default/pods/alone '{"gracePeriodSeconds":0}' >/dev/null
proved "a pod nobody makes again is not given up unasked"

api PATCH /apis/policy/v1/namespaces/default/poddisruptionbudgets/web '{"spec":{"minAvailable":3}}' >/dev/null
within 20 budget 1
# It leads etcd: once it is removed, nobody does for a moment, and who is started in that moment waits.
leads() { etcd_ctl "$E" move-leader "$(etcd_ctl "$E" member list | awk -F', ' '$3 == "cp2" {print $1}')"; }
within 20 leads
# Killed again and again, each time a little later; then in the middle of etcd's step; then every few milliseconds.
apply_cp2=(node-replace apply --node cp2 --kubeconfig "$API_DIR/super-admin.conf" --journal "$WORK/journal-cp2"
  --ca "$E/pki/ca.crt" --cert "$E/pki/client.crt" --key "$E/pki/client.key" "$PLATFORM")
kills=0 done=""
killed_after() {
  status=0
  # (timeout(1) does not wait for what it kills: the lock would be held still.)
  "${apply_cp2[@]}" >>"$WORK/killed" 2>"$ERR" &
  pid=$!
  sleep "$1"
  { kill -KILL $pid || true; wait $pid; } 2>/dev/null || status=$?
  [ "$status" = 0 ] || [ "$status" = 137 ] || fail "status $status after a kill: $(cat "$ERR")"
  [ "$status" = 0 ] || kills=$((kills + 1))
}
# Without a kubelet no pod goes, and the drain goes on.
kill -STOP "$KUBELETS"
for n in 02 05 10 15 20 30 40 50; do killed_after "0.$n"; done
[ "$kills" = 8 ] || fail "it was done before it was killed"
kill -CONT "$KUBELETS"
"${apply_cp2[@]}" >>"$WORK/killed" 2>"$ERR" &
pid=$!
text=""
until [[ $text = *etcd-member* ]]; do IFS= read -rd '' text <"$WORK/journal-cp2/journal.json" || true; done
{ kill -KILL $pid && wait $pid; } 2>/dev/null || true
kills=$((kills + 1))
for n in $(seq 15 2 200); do
  killed_after "0.$(printf %03d "$n")"
  [ "$status" != 0 ] || { done=1 && break; }
done
[ -n "$done" ] || fail "it does not come to an end"
[ "$(members)" = "cp1 cp3" ] || fail "etcd has $(members)"
! node_is_there cp2 || fail "cp2 is a node still"
[ "$(grep -c '"target":"etcd-member/' "$WORK/killed")" -le 1 ] || fail "the member was removed twice"
web_runs() { [ "$(api GET "/api/v1/pods?labelSelector=app=web" | jq '[.items[] | select(.metadata.deletionTimestamp | not) | select(.spec.nodeName != "cp2")] | length')" = 4 ]; }
within 20 web_runs
expect 0 replace apply cp2
[ ! -s "$OUT" ] || fail "a second apply says something"
proved "killed $kills times on its way it converges"

# What a join that broke off leaves behind.
learner_joins() { etcd_ctl "$E" member add cp2 --learner --peer-urls=https://10.77.0.22:2380; }
within 20 learner_joins
expect 0 replace apply cp2
[ ! -s "$OUT" ] || fail "what is done was begun anew unasked"
expect 0 replace apply cp2 --again
says '[.[] | select(.record == "change").target] | length == 1 and (.[0] | startswith("etcd-member/"))'
[ "$(members)" = "cp1 cp3" ] || fail "etcd has $(members)"
proved "a learner that never started, and has no name, is found by its peer URL (kubeadm#3269)"

expect 2 replace apply w9
complains 'w9 is no host of the platform'
expect 2 node-replace plan --node cp3 --kubeconfig "$API_DIR/super-admin.conf" --journal "$WORK/j" --ca "$E/pki/client.crt" --cert "$E/pki/client.crt" --key "$E/pki/client.key" "$PLATFORM"
complains 'none answers'
proved "a host nobody has, and an authority that did not sign, are status 2"

end_pid "$(cat "$API_DIR/kube-apiserver.pid")"
expect 3 replace plan w1
complains 'connection refused'
proved "an API server that is gone is status 3"
