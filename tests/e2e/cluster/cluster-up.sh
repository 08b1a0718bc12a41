#!/bin/bash
# From six bare hosts to a highly available cluster, broken off in the middle, taken up, repeated, rebooted.
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" = 0 ] || skip "hosts need root"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
oracles || skip "kubeadm could not be built"
hosts() { LAB=bpup "$ROOT/scripts/hosts-lab" "$@"; }
trap 'status=$?; hosts down || true; story_end $status' EXIT
PATH=$BAREPLANE_BIN:$PATH
cat >"$WORK/platform.yaml" <<'END'
version: 1
cluster: {name: lab, kubernetes: "1.36.3", cni: {calico: v3.31.7, encap: vxlan}}
network:
  node_cidrs: [10.79.2.0/24]
  pod_cidr: 10.244.0.0/16
  service_cidr: 10.96.0.0/16
  vips: [10.79.2.100]
load_balancing: {vrid: 52, advert_ms: 100, interface: eth0}
hosts:
  - {name: lb1, roles: [lb], ip: 10.79.2.11}
  - {name: lb2, roles: [lb], ip: 10.79.2.12}
  - {name: cp1, roles: [control-plane, etcd], ip: 10.79.2.21}
  - {name: cp2, roles: [control-plane, etcd], ip: 10.79.2.22}
  - {name: cp3, roles: [control-plane, etcd], ip: 10.79.2.23}
  - {name: w1, roles: [worker], ip: 10.79.2.31}
END
hosts up --kubernetes "$WORK/platform.yaml" >"$ERR" 2>&1 || skip "no lab of hosts: $(tail -1 "$ERR")"
# No host of the lab has a way to repositories or images: packages are there,
# no add-on runs, and kubeadm is told to bear what a container is not.
EXAMPLES=$ROOT/tests/fixtures/examples
CALICO=${BAREPLANE_CORPUS:+$BAREPLANE_CORPUS/calico/v3.30.7/calico.yaml}
# shellcheck disable=SC2120 # `expect` passes words
up() {
  hosts client "$ROOT/scripts/cluster-up" --ssh-config "$(hosts ssh-config)" --commands /opt/bareplane \
    --key "$EXAMPLES/kubernetes.asc" --calico "${CALICO:-$EXAMPLES/calico.yaml}" --skip-checks coredns,calico "$@" "$WORK/platform.yaml" -- --ignore-preflight-errors=all
}
names() { jq -r .name <(inventory nodes "$WORK/platform.yaml"); }
# Inodes, times and content of what a host keeps, but for what daemons write there.
stamps() {
  local name
  for name in $(names); do
    hosts exec "$name" sh -c 'find /etc /var/lib/bareplane /usr/local -printf "%p %i %T@ %C@ %s %l\n" 2>/dev/null | sort'
  done
}
kubectl() { hosts exec cp1 kubectl --kubeconfig /etc/kubernetes/admin.conf "$@"; }
# killed HOST FILE PROGRAM…: kills these there as soon as the file is there.
killed() {
  local name=$1 file=$2 program pid
  wait_for 90 hosts exec "$name" test -e "$file" || fail "$name: no $file"
  for program in "${@:3}"; do
    for pid in $(hosts exec "$name" pgrep -x "$program"); do hosts exec "$name" kill -KILL "$pid" 2>/dev/null || true; done
  done
}

stamps >"$WORK/bare"
expect 1 up --plan
says 'any(.[]; .path == "/etc/fstab") and any(.[]; .path == "/etc/haproxy/haproxy.cfg") and ([.[] | select(.path == "/etc/kubernetes")] | length == 4)'
[ "$(stamps)" = "$(cat "$WORK/bare")" ] || fail "the plan changed something: $(diff <(stamps) "$WORK/bare" | head -5)"
proved "--plan tells all of it and changes nothing"

# mistaken STATUS CHECK FROM TO: what kubeadm-init says of a document with a mistake.
mistaken() {
  sed "s|$3|$4|" "$WORK/platform.yaml" >"$WORK/wrong.yaml"
  ! cmp -s "$WORK/wrong.yaml" "$WORK/platform.yaml" || fail "no such text: $3"
  expect "$1" hosts exec cp1 /opt/bareplane/kubeadm-init apply --host cp1 - <"$WORK/wrong.yaml"
  if [ "$1" = 1 ]; then says "any(.[]; .check == \"$2\" and .status == \"fail\")"; else complains "$2"; fi
}
mistaken 1 interface 'name: cp1, ' 'name: cp1, interface: eth9, '
mistaken 1 address 'ip: 10.79.2.21' 'ip: 10.79.2.29'
mistaken 1 kubeadm-version '1.36.3' '1.35.3'
mistaken 2 overlap '10.96.0.0/16' '10.244.128.0/17'
mistaken 2 'even number' '.*name: cp3.*' ''
mistaken 2 'own address' 'vips: .*' 'vips: [10.79.2.31]'
mistaken 2 'name' 'name: w1' 'name: W_1'
[ "$(stamps)" = "$(cat "$WORK/bare")" ] || fail "a mistaken document changed something"
proved "mistakes of the document are found before anything changes"

# shellcheck disable=SC2119
up >"$WORK/first" 2>&1 &
job=$!
killed cp1 /etc/kubernetes/manifests/etcd.yaml kubeadm-init kubeadm
wait "$job" && fail "an init that was killed is no success"
kubectl get nodes cp2 >/dev/null 2>&1 && fail "it went on"
# shellcheck disable=SC2119
up >"$WORK/second" 2>&1 &
job=$!
killed cp2 /etc/kubernetes/kubelet.conf kubeadm-join kubeadm
wait "$job" && fail "a join that was killed is no success"
grep -q '"step":"kubeadm-init","ok":true' "$WORK/second" || fail "the init was not taken up: $(tail -3 "$WORK/second")"
# shellcheck disable=SC2119
up >"$WORK/third" 2>&1 &
job=$!
killed cp3 /etc/kubernetes/manifests/etcd.yaml kubeadm-join kubeadm
wait "$job" && fail "a join that was killed is no success"
grep -q '"host":"cp2","step":"kubeadm-join","ok":true' "$WORK/third" || fail "the join was not taken up: $(tail -3 "$WORK/third")"
expect 0 up
says 'any(.[]; .step == "kubeadm-join" and .host == "cp3" and .ok) and any(.[]; .step == "kubeadm-join" and .host == "w1" and .ok)'
proved "kill -9 in the middle of init, of a join before and after its etcd: the next run takes it up"

ready() { [ "$(kubectl get nodes --no-headers | awk '$2 == "Ready"' | wc -l)" = 4 ]; }
within 60 ready
[ "$(kubectl get nodes -l node-role.kubernetes.io/control-plane --no-headers | wc -l)" = 3 ] || fail "not three control planes"
for name in cp1 cp2 cp3; do hosts exec "$name" test ! -e /run/bareplane/credentials.json || fail "credentials were left on $name"; done
members=$(hosts exec cp3 sh -c 'cd /etc/kubernetes/pki/etcd && ETCDCTL_API=3 etcdctl --endpoints https://127.0.0.1:2379 --cacert ca.crt --cert server.crt --key server.key member list' | grep -c 'started.*false$')
[ "$members" = 3 ] || fail "$members members of etcd vote, not 3"
proved "three control planes, a worker, three members of etcd that vote"

stamps >"$WORK/stamps"
expect 0 up
[ ! -s "$OUT" ] || fail "the second run changed something"
[ "$(stamps)" = "$(cat "$WORK/stamps")" ] || fail "the second run wrote something: $(diff <(stamps) "$WORK/stamps" | head -5)"
expect 0 up --plan
[ ! -s "$OUT" ] || fail "the plan still has something"
proved "the second run: no record, no inode and no time changed on any host"

hosts exec cp1 cat /etc/kubernetes/pki/ca.crt >"$WORK/ca.crt"
CFG=$(hosts ssh-config)
expect 0 hosts client ha-drill run --via "lb1=ssh -F $CFG lb1" --via "lb2=ssh -F $CFG lb2" \
  --inject '{via} systemctl reboot' --heal true --target https://10.79.2.100:6443/livez --cacert "$WORK/ca.crt" \
  --duration 12s --max-outage 3s
says 'any(.[]; .record == "drill" and .outage_ms.max != null)'
proved "the balancer that held the address was rebooted: clients missed it for $(jq -r 'select(.record == "drill") | .outage_ms.max | round' "$OUT") ms"
expect 0 up
[ ! -s "$OUT" ] || fail "a reboot undid something"
proved "afterwards all is as the document says, cluster-verify agrees"

hosts reboot w1
hosts reboot cp3
within 60 ready
# shellcheck disable=SC2119
again() { up >"$OUT" 2>"$ERR" && [ ! -s "$OUT" ]; }
within 30 again
proved "a worker and a control plane were rebooted: everything holds"

# What two hours do to a control plane's credentials, and what mends it.
hosts exec cp1 rm /var/lib/bareplane/kubeadm/credentials.json
hosts exec w1 sh -c 'systemctl stop kubelet && rm -rf /etc/kubernetes/kubelet.conf /etc/kubernetes/pki /var/lib/kubelet/pki /var/lib/kubelet/config.yaml'
kubectl delete node w1 >/dev/null
expect 0 up
says 'any(.[]; .step == "kubeadm-join" and .host == "w1" and .ok)'
proved "a worker that was wiped joins again with new credentials"
