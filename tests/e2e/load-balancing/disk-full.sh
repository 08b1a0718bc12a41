#!/bin/bash
# The disk under /etc/haproxy is full: lb-apply changes nothing at all.
. "$(dirname "$0")/../lib.sh"
lab_ready lb-render lb-apply
spare=$(other "$(holder)")
# One file system of 64 kB for both, filled but for one page.
on "$spare" sh -ec 'cp -a /etc/haproxy /run/haproxy.kept
  mount -t tmpfs -o size=64k small /etc/haproxy
  cp -a /run/haproxy.kept/. /etc/haproxy/
  dd if=/dev/zero of=/etc/haproxy/ballast bs=4096 2>/dev/null || true'
trap 'status=$?; on "$spare" umount /etc/haproxy || true; story_end $status' EXIT
sums() { on "$spare" sh -c 'cat /etc/haproxy/haproxy.cfg /etc/keepalived/keepalived.conf' | sha256sum; }
before=$(sums)

sed 's/^load_balancing: {/&health_port: 8405, /' "$STATE/platform.yaml" | lb-render --node "$spare" --json >"$WORK/new"
expect 3 on "$spare" lb-apply apply --haproxy-master "$MASTER" --keepalived-pid /run/keepalived.pid <"$WORK/new"
[ "$(sums)" = "$before" ] || fail "something changed"
[ -z "$(on "$spare" find /etc/haproxy /etc/keepalived -name '*.tmp*' -o -name '.*.new')" ] || fail "temporary files were left behind"
proved "a full disk is status 3, and every file is as it was"

on "$spare" rm /etc/haproxy/ballast
expect 0 on "$spare" lb-apply apply --haproxy-master "$MASTER" --keepalived-pid /run/keepalived.pid <"$WORK/new"
proved "with room again, the same command succeeds"
expect 0 on "$spare" lb-apply undo --haproxy-master "$MASTER" --keepalived-pid /run/keepalived.pid
[ "$(sums)" = "$before" ] || fail "undo did not restore"
proved "undo restores it byte for byte"
on "$spare" umount /etc/haproxy
trap 'story_end $?' EXIT
healthy
