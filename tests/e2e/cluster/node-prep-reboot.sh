#!/bin/bash
# A host is prepared, prepared again without a write, rebooted, and put back byte for byte.
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" = 0 ] || skip "hosts need root"
hosts() { LAB=bpprep "$ROOT/scripts/hosts-lab" "$@"; }
trap 'status=$?; hosts down || true; story_end $status' EXIT
cat >"$WORK/platform.yaml" <<'END'
version: 1
cluster: {name: lab, kubernetes: "1.36.3", cni: {calico: v3.31.7, encap: vxlan}}
network: {node_cidrs: [10.79.1.0/24], pod_cidr: 10.244.0.0/16, service_cidr: 10.96.0.0/16}
hosts:
  - {name: cp1, roles: [control-plane, etcd], ip: 10.79.1.21}
  - {name: w1, roles: [worker], ip: 10.79.1.31}
END
hosts up "$WORK/platform.yaml" >"$ERR" 2>&1 || skip "no lab of hosts: $(tail -1 "$ERR")"
at() { hosts exec w1 "$@"; }
prep() { hosts exec w1 /opt/bareplane/node-prep "$1" --host w1 "${@:2}" - <"$WORK/platform.yaml"; }
# Everything of /etc and of our own state: inode, times, content.
stamps() { at sh -c 'find /etc /var/lib/bareplane -printf "%p %i %T@ %C@ %l\n" | sort'; }
contents() { at sh -c 'cd /etc && find . -type f -print0 | sort -z | xargs -0 sha256sum; find . -printf "%p %m %U:%G %l\n" | sort'; }
is() { [ "$(at "${@:2}")" = "$1" ] || fail "$(at "${@:2}"), not $1: ${*:2}"; }

contents >"$WORK/before"
machine=$(cat /proc/sys/net/ipv4/ip_forward)
expect 1 prep plan
says 'any(.[]; .path == "/etc/fstab") and any(.[]; .path == "/proc/sys/net/ipv4/ip_forward")'
[ "$(contents)" = "$(cat "$WORK/before")" ] || fail "plan touched something"
expect 0 prep apply
says 'all(.[]; .record == "change" and .target == "w1")'
is 1 cat /proc/sys/net/ipv4/ip_forward
is w1 hostname
is masked systemctl is-enabled swap.target
[ "$(cat /proc/sys/net/ipv4/ip_forward)" = "$machine" ] || fail "it reached the machine of the lab"
proved "files, kernel parameters, hostname and mask are made, in the host alone"

stamps >"$WORK/stamps"
expect 0 prep apply
[ ! -s "$OUT" ] || fail "the second apply printed something"
[ "$(stamps)" = "$(cat "$WORK/stamps")" ] || fail "the second apply wrote something"
proved "the second apply: no record, no inode and no time changed"

hosts reboot w1
is 1 cat /proc/sys/net/ipv4/ip_forward
is w1 hostname
is masked systemctl is-enabled swap.target
expect 0 prep plan
proved "all of it holds after a reboot"

at sysctl -qw net.ipv4.ip_forward=0
expect 1 prep plan
says 'length == 1 and .[0].path == "/proc/sys/net/ipv4/ip_forward"'
expect 0 prep apply
is 1 cat /proc/sys/net/ipv4/ip_forward
proved "a parameter somebody changed by hand is drift, and is mended alone"

expect 0 at /opt/bareplane/node-prep undo --host w1
is 0 cat /proc/sys/net/ipv4/ip_forward
at sh -c 'echo "# edited" >>/etc/fstab'
expect 1 at /opt/bareplane/node-prep undo --host w1 1
says 'any(.[]; .error == "changed-since")'
at sed -i '/^# edited$/d' /etc/fstab
expect 0 at /opt/bareplane/node-prep undo --host w1 1
is debian hostname
[ "$(contents)" = "$(cat "$WORK/before")" ] || fail "undo: $(diff <(contents) "$WORK/before" | head -5)"
proved "undo refuses an edited file, then gives everything back byte for byte"
