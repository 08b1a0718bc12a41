#!/bin/bash
# Names, container runtime and repositories are set up on a real host, hold after a reboot, and are put back byte for byte.
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" = 0 ] || skip "hosts need root"
hosts() { LAB=bpfiles "$ROOT/scripts/hosts-lab" "$@"; }
trap 'status=$?; hosts down || true; story_end $status' EXIT
cat >"$WORK/platform.yaml" <<'END'
version: 1
cluster: {name: lab, kubernetes: "1.35.4", runtime: {containerd: "1.6"}}
network:
  node_cidrs: [10.79.3.0/24]
  pod_cidr: 10.244.0.0/16
  service_cidr: 10.96.0.0/16
  domain: lab.example
hosts:
  - {name: cp1, roles: [control-plane, etcd], ip: 10.79.3.21}
  - {name: w1, roles: [worker], ip: 10.79.3.31}
END
hosts up "$WORK/platform.yaml" >"$ERR" 2>&1 || skip "no lab of hosts: $(tail -1 "$ERR")"
at() { hosts exec w1 "$@"; }
tool() { hosts exec w1 "/opt/bareplane/$1" "$2" --host w1 "${@:3}" - <"$WORK/platform.yaml"; }
contents() { at sh -c 'cd /etc && find . -type f -print0 | sort -z | xargs -0 sha256sum; find . -printf "%p %m %U:%G %l\n" | sort'; }
names() { at getent hosts "$1" | tr -s ' '; }
at sh -c 'cat >/root/kubernetes.asc' <"$ROOT/tests/fixtures/examples/kubernetes.asc"
contents >"$WORK/before"

expect 1 tool hosts-render plan
expect 1 tool runtime-config plan
expect 1 tool repo-setup plan --key /root/kubernetes.asc
[ "$(contents)" = "$(cat "$WORK/before")" ] || fail "a plan touched something"
expect 0 tool hosts-render apply
[ "$(names cp1)" = "10.79.3.21 cp1.lab.example cp1" ] || fail "cp1 is $(names cp1)"
[ "$(names W1.lab.example)" = "10.79.3.31 w1.lab.example w1" ] || fail "w1 is $(names W1.lab.example)"
proved "hosts know each other by name, the name with the domain first"

expect 0 tool runtime-config apply --verify
says 'length == 1 and .[0].path == "/etc/containerd/config.toml"'
grep -q 'systemctl restart containerd' "$ERR" || fail "nobody says that containerd has to be restarted"
expect 0 at /opt/bareplane/runtime-config undo --host w1
was=$(at systemctl show -p MainPID --value containerd)
expect 0 tool runtime-config apply --verify --restart
says 'any(.[]; .step == "restart" and .ok)'
[ "$was" != "$(at systemctl show -p MainPID --value containerd)" ] || fail "containerd was not restarted"
[ "$(at systemctl is-active containerd)" = active ] || fail "containerd does not run with it"
at containerd config dump | grep -q 'SystemdCgroup = true' || fail "containerd reads it otherwise"
proved "containerd agrees with its configuration, and runs with it"

expect 0 tool repo-setup apply --key /root/kubernetes.asc
at apt-get update --print-uris | grep -q "^'https://pkgs.k8s.io/core:/stable:/v1.35/deb/InRelease'" || fail "apt does not go there"
at grep -q '^Pin: version 1.35.4-' /etc/apt/preferences.d/kubernetes || fail "nothing is pinned"
proved "apt goes to the repository of the minor version"

hosts reboot w1
[ "$(names cp1)" = "10.79.3.21 cp1.lab.example cp1" ] || fail "after a reboot cp1 is $(names cp1)"
for name in hosts-render runtime-config repo-setup; do
  expect 0 tool "$name" apply
  [ ! -s "$OUT" ] || fail "the second apply of $name printed something"
  expect 0 tool "$name" check
done
proved "all of it holds after a reboot, and nothing is left to do"

at sh -c 'echo "10.9.9.9 w1" >>/etc/hosts'
expect 1 tool hosts-render check
says 'any(.[]; .check == "hosts-conflict" and .current == "10.9.9.9 w1")'
expect 1 at /opt/bareplane/hosts-render undo --host w1
says 'any(.[]; .error == "changed-since")'
at sed -i '/^10.9.9.9 w1$/d' /etc/hosts
for name in hosts-render runtime-config repo-setup; do expect 0 at "/opt/bareplane/$name" undo --host w1; done
[ "$(contents)" = "$(cat "$WORK/before")" ] || fail "undo: $(diff <(contents) "$WORK/before" | head -5)"
proved "undo refuses an edited file, then gives everything back byte for byte"
