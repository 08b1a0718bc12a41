#!/bin/bash
# A backup that breaks off (kill -9, TERM, a full disk, a dead member) leaves the old file and no half one.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/scripts/lib/etcd.sh"
etcd_needs || skip "etcd is missing"
[ "$(id -u)" = 0 ] || skip "a small file system needs root"
E=$WORK/etcd B=$WORK/backups
trap 'status=$?; etcd_down "$E"; umount "$WORK/small" 2>/dev/null || true; story_end $status' EXIT
SAVE=(etcd-check save --ca "$E/pki/ca.crt" --cert "$E/pki/client.crt" --key "$E/pki/client.key" --endpoints https://127.0.0.1:25610)
# A part that nobody holds a lock on was left by a run before.
begun() { [ -s "$B/.a.db.etcd-check" ] && ! flock -n "$B/.a.db.etcd-check" true; }
only() { [ "$(files_in "$1")" = "$2" ] || fail "in $1: $(files_in "$1"), not $2"; }

etcd_up "$E" 25600 1 --unsafe-no-fsync || fail "etcd does not come up"
mkdir "$B"
expect 0 "${SAVE[@]}" --out "$B/a.db"
old=$(sha256sum <"$B/a.db")
etcd_fill "$E" 1 150

# Each round starts a backup and breaks it off as soon as a part of it is there.
broken_off() {
  "${SAVE[@]}" --out "$B/a.db" >"$OUT" 2>"$ERR" &
  job=$!
  wait_for 10 begun || fail "no backup has begun"
  "$@"
  status=0
  { wait "$job" || status=$?; } 2>/dev/null
}

kill_job() { kill -KILL "$job"; }
term_job() { kill -TERM "$job"; }
broken_off kill_job
[ "$status" = 137 ] || fail "it ended before it was killed: $status"
only "$B" ".a.db.etcd-check a.db"
[ "$(sha256sum <"$B/a.db")" = "$old" ] || fail "the old backup was touched"
[ "$(stat -c %a "$B/.a.db.etcd-check")" = 600 ] || fail "others may read what was left"
expect 0 etcd-check verify "$B/a.db"
proved "kill -9: the old backup is there, whole"

broken_off term_job
[ "$status" = 3 ] || fail "status $status after TERM"
complains interrupted
only "$B" a.db
[ "$(sha256sum <"$B/a.db")" = "$old" ] || fail "the old backup was touched"
proved "TERM: status 3, nothing is left, and what the killed run left is swept"

broken_off etcd_kill "$E" m1
[ "$status" = 3 ] || fail "status $status after the member died"
only "$B" a.db
proved "the member dies: status 3, nothing is left"
etcd_start "$E" m1 --unsafe-no-fsync
wait_for 20 etcd_ctl "$E" endpoint health || fail "the member does not come back"

mkdir "$WORK/small"
mount -t tmpfs -o size=50m small "$WORK/small"
expect 3 "${SAVE[@]}" --out "$WORK/small/a.db"
complains 'disk is full'
only "$WORK/small" ""
proved "a disk too small: status 3, before it is full"

# Somebody else fills it meanwhile.
mount -o remount,size=220m "$WORK/small"
somebody_else() { head -c 220M /dev/zero >"$WORK/small/other" 2>/dev/null || true; }
B=$WORK/small
broken_off somebody_else
[ "$status" = 3 ] || fail "status $status on a disk that filled"
only "$WORK/small" other
rm "$WORK/small/other"
B=$WORK/backups
proved "a disk that fills up: status 3, nothing is left"

expect 0 "${SAVE[@]}" --out "$B/a.db"
only "$B" a.db
[ "$(sha256sum <"$B/a.db")" != "$old" ] || fail "it is still the old one"
expect 0 etcd-check verify "$B/a.db"
proved "afterwards the same command succeeds"
