#!/bin/bash
# Learners, members that never started, and members the platform does not know are named.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/scripts/lib/etcd.sh"
etcd_needs || skip "etcd is missing"
can_namespace || skip "network namespaces need root"
NS=${LAB}etcd E=$WORK/etcd
trap 'status=$?; etcd_down "$E"; ip netns del "$NS" 2>/dev/null || true; story_end $status' EXIT
ip netns add "$NS"
ip -n "$NS" link set lo up
for n in 21 22 23 24; do ip -n "$NS" addr add "10.77.0.$n/32" dev lo; done
# What etcd.sh starts, it starts there.
etcd() { exec ip netns exec "$NS" etcd "$@"; }
etcdctl() { ip netns exec "$NS" etcdctl "$@"; }
env() { exec ip netns exec "$NS" env "$@"; }
check() { ip netns exec "$NS" etcd-check check --ca "$E/pki/ca.crt" --cert "$E/pki/client.crt" --key "$E/pki/client.key" "$@"; }
describe() { etcd_describe "$E" "$1" "https://10.77.0.$2:2379" "https://10.77.0.$2:2380"; }

mkdir "$E"
ETCD_SAN=IP:10.77.0.21,IP:10.77.0.22,IP:10.77.0.23,IP:10.77.0.24 etcd_pki "$E"
for n in 1 2 3; do describe "m$n" "2$n"; sed -i "s/^ETCD_NAME=.*/ETCD_NAME=cp$n/" "$E/m$n.env"; done
etcd_together "$E" 3 cp1=https://10.77.0.21:2380,cp2=https://10.77.0.22:2380,cp3=https://10.77.0.23:2380 || fail "etcd does not come up"
PLATFORM=$ROOT/tests/fixtures/examples/platform.yaml

expect 0 check "$PLATFORM"
says 'map(select(.record == "etcd-member").host) | sort == ["cp1", "cp2", "cp3"]'
expect 0 check - <"$PLATFORM"
proved "the platform document tells whom to ask"

sed '/name: cp3/d; s/name: cp2/name: cp9/; s/roles: \[control-plane, etcd\], ip: 10.77.0.21/roles: [control-plane, etcd], ip: 10.77.0.29/' "$PLATFORM" >"$WORK/other.yaml"
sed -i '/name: cp1/p; s/name: cp1, roles: \[control-plane, etcd\], ip: 10.77.0.29, bmc: {address: 10.78.0.21}/name: cp8, roles: [control-plane, etcd], ip: 10.77.0.28/' "$WORK/other.yaml"
expect 1 check --endpoints "$(cat "$E/endpoints")" "$WORK/other.yaml"
says 'map(select(.check == "peer-url").target) == ["cp1"]'
says 'map(select(.check == "stale-member").target) == ["cp3"]'
says 'map(select(.check == "missing-member").target) == ["cp8"]'
proved "members on no host of the platform and hosts without a member are named"

# etcd lets nobody in until its members have seen each other for five seconds.
within 15 etcd_ctl "$E" member add cp4 --learner --peer-urls=https://10.77.0.24:2380
expect 1 check "$PLATFORM"
says 'any(.check == "unstarted" and .severity == "high" and (.current | contains("https://10.77.0.24:2380")) and (.fix | contains("member remove")))'
says 'any(.check == "quorum" and .current == "3 of 3 voters answer")'
proved "a learner that never started is named, and does not count (kubeadm#3269)"

describe m4 24
sed -i 's/^ETCD_NAME=.*/ETCD_NAME=cp4/' "$E/m4.env"
echo "ETCD_INITIAL_CLUSTER=cp1=https://10.77.0.21:2380,cp2=https://10.77.0.22:2380,cp3=https://10.77.0.23:2380,cp4=https://10.77.0.24:2380" >>"$E/m4.env"
echo ETCD_INITIAL_CLUSTER_STATE=existing >>"$E/m4.env"
etcd_start "$E" m4
learns() { check --endpoints "$(cat "$E/endpoints")" >"$OUT" && says 'any(.name == "cp4" and .learner and .healthy)'; }
wait_for 15 learns || fail "the learner does not learn: $(tail -2 "$E/m4.log")"
says 'any(.check == "learner" and .target == "cp4" and .status == "warn")'
proved "a learner that runs is a warning"

etcd_kill "$E" m4
# (jq would round the ids in etcdctl's JSON.)
etcd_ctl "$E" member remove "$(jq -r 'select(.name == "cp4").id' "$OUT")" >/dev/null
within 15 etcd_ctl "$E" member add cp4 --peer-urls=https://10.77.0.24:2380
expect 1 check "$PLATFORM"
says 'any(.check == "unstarted" and .severity == "critical")'
says 'any(.check == "quorum" and .status == "warn" and .current == "3 of 4 voters answer")'
says 'any(.check == "even-members")'
proved "a voter that never started counts against the majority"
