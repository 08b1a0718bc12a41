#!/bin/bash
# The playbook with real Ansible: an honest --check, a cluster, and a second run that changes nothing.
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" = 0 ] || skip "hosts need root"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
oracles || skip "kubeadm could not be built"
need_ansible || skip "Ansible is missing"
hosts() { LAB=bpansible "$ROOT/scripts/hosts-lab" "$@"; }
trap 'status=$?; hosts down || true; story_end $status' EXIT
PATH=$BAREPLANE_BIN:$PATH
cat >"$WORK/platform.yaml" <<'END'
version: 1
cluster: {name: lab, kubernetes: "1.36.3", cni: {calico: v3.31.7, encap: vxlan}}
network:
  node_cidrs: [10.79.3.0/24]
  pod_cidr: 10.244.0.0/16
  service_cidr: 10.96.0.0/16
  vips: [10.79.3.100]
load_balancing: {vrid: 53, advert_ms: 100, interface: eth0}
hosts:
  - {name: lb1, roles: [lb], ip: 10.79.3.11}
  - {name: lb2, roles: [lb], ip: 10.79.3.12}
  - {name: cp1, roles: [control-plane, etcd], ip: 10.79.3.21}
  - {name: w1, roles: [worker], ip: 10.79.3.31}
END
hosts up --kubernetes "$WORK/platform.yaml" >"$ERR" 2>&1 || skip "no lab of hosts: $(tail -1 "$ERR")"
ln -s "$BAREPLANE_BIN/inventory" "$WORK/lab"
export ANSIBLE_HOST_KEY_CHECKING=True ANSIBLE_NOCOLOR=1 ANSIBLE_RETRY_FILES_ENABLED=False ANSIBLE_HOME=$WORK/ansible
CFG=$(hosts ssh-config)
export ANSIBLE_SSH_ARGS="-F $CFG -o ControlMaster=auto -o ControlPersist=60s" ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3
play() {
  BAREPLANE_PLATFORM=$WORK/platform.yaml hosts client "$ANSIBLE/ansible-playbook" -i "$WORK/lab" "$ROOT/scripts/ansible/cluster-up.yaml" \
    -e "platform=$WORK/platform.yaml" -e bareplane=/opt/bareplane -e '{"kubeadm_words": ["--ignore-preflight-errors=all"]}' "$@"
}
# recap HOST FIELD: a count of Ansible's last lines.
recap() { sed -n "s/^$1 .*\\b$2=\\([0-9]*\\).*/\\1/p" "$OUT" | tail -1; }
stamps() { for name in lb1 lb2 cp1 w1; do hosts exec "$name" sh -c 'find /etc /var/lib/bareplane -printf "%p %i %T@ %C@ %s %l\n" 2>/dev/null | sort'; done; }

stamps >"$WORK/bare"
expect 0 play --check
for name in lb1 cp1 w1; do
  [ "$(recap "$name" changed)" -ge 3 ] || fail "--check does not say what would change on $name: $(tail -5 "$OUT")"
done
[ "$(stamps)" = "$(cat "$WORK/bare")" ] || fail "--check changed something: $(diff <(stamps) "$WORK/bare" | head -5)"
proved "--check tells what would change, and changes nothing"

expect 0 play
[ "$(hosts exec cp1 kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes --no-headers | wc -l)" = 2 ] || fail "not two nodes"
hosts exec w1 test ! -e /run/bareplane/credentials.json || fail "credentials were left"
proved "the playbook brings up the cluster through its balancers"

stamps >"$WORK/stamps"
expect 0 play
for name in lb1 lb2 cp1 w1; do [ "$(recap "$name" changed)" = 0 ] || fail "the second run changed $name: $(grep -B3 ^changed "$OUT" | head -12)"; done
[ "$(stamps)" = "$(cat "$WORK/stamps")" ] || fail "the second run wrote something: $(diff <(stamps) "$WORK/stamps" | head -5)"
expect 0 play --check
for name in lb1 lb2 cp1 w1; do [ "$(recap "$name" changed)" = 0 ] || fail "--check would change $name"; done
proved "the second run, and --check after it: changed=0, no file written"
