#!/bin/bash
# A backup taken while the cluster is written to is whole, private, and can be restored.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/scripts/lib/etcd.sh"
etcd_needs || skip "etcd is missing"
E=$WORK/etcd R=$WORK/restored
trap 'status=$?; [ -z "${writer:-}" ] || kill "$writer" 2>/dev/null || true; etcd_down "$E"; etcd_down "$R"; story_end $status' EXIT
umask 022
TLS=(--ca "$E/pki/ca.crt" --cert "$E/pki/client.crt" --key "$E/pki/client.key")

etcd_up "$E" 25500 3 || fail "etcd does not come up"
etcd_ctl "$E" put /registry/before there >/dev/null
etcd_fill "$E" 1 40
# shellcheck disable=SC2064
(while :; do etcd_ctl "$E" put /registry/busy "$RANDOM" >/dev/null || true; done) &
writer=$!
mkdir "$WORK/backups"
expect 0 etcd-check save "${TLS[@]}" --endpoints "$(etcd_url "$E" m1)" --out "$WORK/backups/a.db"
cp "$OUT" "$WORK/saved"
kill "$writer"
wait "$writer" 2>/dev/null || true
writer=
[ "$(stat -c %a "$WORK/backups/a.db")" = 600 ] || fail "others may read the backup"
[ "$(ls -A "$WORK/backups")" = a.db ] || fail "something else was left: $(ls -A "$WORK/backups")"
says 'length == 1 and .[0].record == "etcd-backup" and .[0].ok and .[0].keys > 40'
[ "$(jq -r .sha256 "$OUT")" = "$(sha256sum <"$WORK/backups/a.db" | cut -d' ' -f1)" ] || fail "another SHA-256"
proved "under load: one file, mode 600, its SHA-256 in the record"
leader=$(etcd-check check "${TLS[@]}" --endpoints "$(cat "$E/endpoints")" | jq -r 'select(.leads) | .endpoint')
[ "$(jq -r .endpoint "$WORK/saved")" != "$leader" ] || fail "it was taken from the leader"
proved "it was taken from a follower"

expect 0 etcd-check verify "$WORK/backups/a.db"
ours=$(jq -c '[.revision, .keys, .db_bytes]' "$OUT")
theirs=$(ETCDCTL_API=3 etcdctl snapshot status "$WORK/backups/a.db" -w json 2>/dev/null | jq -c '[.revision, .totalKey, .totalSize]')
[ "$ours" = "$theirs" ] || fail "verify says $ours, etcdctl $theirs"
proved "verify counts revision, keys and bytes as etcdctl does: $ours"

head -c 20000000 "$WORK/backups/a.db" >"$WORK/backups/cut.db"
cp "$WORK/backups/a.db" "$WORK/backups/flipped.db"
printf x | dd of="$WORK/backups/flipped.db" bs=1 seek=12345678 conv=notrunc status=none
expect 1 etcd-check verify "$WORK/backups/cut.db" "$WORK/backups/flipped.db" "$WORK/backups/a.db"
says 'map(.ok) == [false, false, true] and .[1].error == "hash"'
proved "a byte changed or missing is noticed"

ETCDCTL_API=3 etcdctl snapshot restore "$WORK/backups/a.db" --name m1 --data-dir "$R/m1" \
  --initial-cluster m1=https://127.0.0.1:25561 --initial-advertise-peer-urls https://127.0.0.1:25561 >/dev/null 2>&1 ||
  fail "etcdctl does not restore it"
etcd_pki "$R"
etcd_describe "$R" m1 https://127.0.0.1:25560 https://127.0.0.1:25561
etcd_together "$R" 1 m1=https://127.0.0.1:25561 || fail "the restored member does not start"
[ "$(etcd_ctl "$R" get /registry/before --print-value-only)" = there ] || fail "a key is missing"
[ "$(etcd_ctl "$R" get /registry/fill/ --prefix --keys-only | grep -c fill)" = 40 ] || fail "keys are missing"
proved "etcdctl restores it, and a member started from it has every key"

cp "$WORK/backups/a.db" "$WORK/backups/b.db"
touch -d '3 days ago' "$WORK/backups/a.db"
touch -d '10 days ago' "$WORK/backups/flipped.db"
touch "$WORK/backups/cut.db"
expect 1 etcd-check prune plan "$WORK/backups" --keep 1
says 'map(.path | split("/")[-1]) == ["flipped.db", "a.db"] and all(.action == "delete")'
complains 'cut.db: is broken'
expect 0 etcd-check prune apply "$WORK/backups" --keep 1 --keep-days 9
[ "$(files_in "$WORK/backups")" = "a.db b.db cut.db" ] || fail "left: $(files_in "$WORK/backups")"
expect 0 etcd-check prune apply "$WORK/backups" --keep 1
[ "$(files_in "$WORK/backups")" = "b.db cut.db" ] || fail "left: $(files_in "$WORK/backups")"
expect 0 etcd-check prune apply "$WORK/backups" --keep 1
[ ! -s "$OUT" ] || fail "the second apply removed something"
rm "$WORK/backups/b.db"
expect 1 etcd-check prune apply "$WORK/backups" --keep 1
says '.[0].error == "guard"'
proved "prune keeps whole ones, counts no broken ones, removes nothing while there is no whole one"
