#!/bin/bash
# One host hangs, one refuses, one has another key, one fills its disk, one drops in the middle: the others go on.
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" = 0 ] || skip "hosts need root"
hosts() { LAB=bpfan "$ROOT/scripts/hosts-lab" "$@"; }
trap 'status=$?; hosts down || true; story_end $status' EXIT
PATH=$BAREPLANE_BIN:$PATH
{
  echo 'version: 1'
  echo 'cluster: {name: lab, kubernetes: "1.36.3"}'
  echo 'network: {node_cidrs: [10.79.4.0/24], pod_cidr: 10.244.0.0/16, service_cidr: 10.96.0.0/16}'
  echo 'hosts:'
  echo '  - {name: cp1, roles: [control-plane, etcd], ip: 10.79.4.21}'
  for n in 1 2 3 4 5 6; do echo "  - {name: w$n, roles: [worker], ip: 10.79.4.3$n}"; done
} >"$WORK/platform.yaml"
hosts up "$WORK/platform.yaml" >"$ERR" 2>&1 || skip "no lab of hosts: $(tail -1 "$ERR")"
CFG=$(hosts ssh-config)
fan() { inventory nodes "$WORK/platform.yaml" | hosts client ssh-fan "$1" --ssh-config "$CFG" "${@:2}"; }
# of HOST FILTER: whether it holds for what came of a host.
of() { jq -es --arg host "$1" "map(select(.record == \"ssh-result\" and .host == \$host))[0] | $2" "$OUT" >/dev/null || fail "$1: not $2: $(grep "\"host\":\"$1\"" "$OUT" | cut -c1-300)"; }

expect 0 fan run -- hostname
says 'length == 7 and all(.error == null and .rc == 0)'
proved "seven hosts answer"

# Five faults at once.
hosts cut w1
hosts exec w2 systemctl stop ssh.socket ssh.service 2>/dev/null || hosts exec w2 systemctl stop ssh
hosts exec w3 sh -c 'rm /etc/ssh/ssh_host_*; ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key; systemctl restart ssh'
hosts exec w4 sh -c 'mkdir -p /small && mount -t tmpfs -o size=64k small /small'
head -c 1000000 /dev/urandom >"$WORK/payload"

# w5 hangs in the command, w6 loses its connection in the middle.
cat >"$WORK/work" <<'END'
#!/bin/sh
case $1 in
  w4) cat /dev/zero >/small/fill ;;
  w5) sleep 300 ;;
  w6)
    session=$PPID
    until [ "$(cat "/proc/$session/comm")" = sshd ]; do session=$(cut -d' ' -f4 "/proc/$session/stat"); done
    echo begun && kill -KILL "$session" && sleep 5
    ;;
  *) echo "done on $1" ;;
esac
END
started=$SECONDS
expect 1 fan script --connect-timeout 3s --host-timeout 6s "$WORK/work" '{name}'
[ $((SECONDS - started)) -lt 30 ] || fail "it took $((SECONDS - started)) s"
cp "$OUT" "$WORK/results.ndjson"
of cp1 '.error == null and .stdout == "done on cp1\n"'
of w1 '.unreachable and (.error == "timeout" or .error == "unreachable")'
of w2 '.unreachable and .error == "refused"'
of w3 '.unreachable and .error == "host-key"'
of w4 '.error == "host-failed" and .rc == 1 and (.stderr | contains("No space left"))'
of w5 '.error == "timeout" and .timed_out'
of w6 '.error == "dropped"'
complains '6 of 7 hosts failed'
proved "each record says what came of its host: $(jq -rs 'map(select(.record == "ssh-result") | .host + " " + (.error // "done")) | sort | join(", ")' "$OUT"); status 1"
[ -z "$(hosts exec w5 pgrep -f 'sleep 300')" ] || { sleep 3 && [ -z "$(hosts exec w5 pgrep -f 'sleep 300')" ]; } || fail "w5 still sleeps"
proved "what was timed out here was ended there"

expect 1 fan copy --connect-timeout 3s --host-timeout 20s "$WORK/payload" /small/payload
of w4 '.error != null'
[ -z "$(hosts exec w4 sh -c 'find /small -name "*payload*"')" ] || fail "half a file was left on the full disk"
of cp1 '.error == null and .changed'
proved "a copy onto a full disk fails and leaves nothing half"

# Mended, only those that failed are visited again.
hosts mend w1
hosts exec w2 systemctl start ssh
sed -i '/^w3,/d' "$(dirname "$CFG")/known_hosts"
hosts exec w3 cat /etc/ssh/ssh_host_ed25519_key.pub | sed 's/^/w3,10.79.4.33 /' >>"$(dirname "$CFG")/known_hosts"
hosts exec w4 umount /small
for name in w1 w2; do within 20 hosts ssh -o ConnectTimeout=2 "$name" true; done
# shellcheck disable=SC2016
expect 0 fan run --resume "$WORK/results.ndjson" --raw -- 'echo again'
says 'map(.host) | sort == ["w1","w2","w3","w4","w5","w6"]'
says 'all(.error == null and .stdout == "again\n")'
proved "--resume visits the six that failed, and not the one that was done"

# A rolling run stops where too many fail.
expect 1 fan run --serial 2 --max-fail 0 -- sh -c 'test "$(hostname)" = debian && test ! -e /tmp/stop; exit 1'
says 'map(select(.record == "ssh-result")) | ([.[] | select(.error == "host-failed")] | length) <= 2 and ([.[] | select(.error == "skipped")] | length) >= 5'
proved "--serial 2 --max-fail 0: after the first two failed, nobody else is touched"

# Ten megabytes from each, with a bound.
expect 0 fan run --limit-output 65536 -- sh -c 'head -c 10000000 /dev/zero | tr "\0" x'
says 'all(.truncated and (.stdout | length | . > 60000 and . < 66000))'
proved "output is bounded, and the record says so"

inventory nodes "$WORK/platform.yaml" >"$WORK/all"
hosts client script -qec "ssh-fan run --hosts $WORK/all --ssh-config $CFG -- true >$WORK/quiet" /dev/null >"$ERR"
grep -q '7 of 7 hosts, 0 failed' "$ERR" || fail "no progress on a terminal"
proved "on a terminal it says how far it has come"

hosts exec w1 systemctl stop ssh
hosts exec w2 systemctl stop ssh
inventory select 'name=w1 || name=w2' "$WORK/platform.yaml" >"$WORK/two"
expect 3 hosts client ssh-fan run --hosts "$WORK/two" --ssh-config "$CFG" -- true
proved "nobody can be reached: status 3"
