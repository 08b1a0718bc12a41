#!/bin/bash
# A database at its quota is announced, the alarm reported, and a backup can still be taken.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/scripts/lib/etcd.sh"
etcd_needs || skip "etcd is missing"
E=$WORK/etcd
trap 'status=$?; etcd_down "$E"; story_end $status' EXIT
TLS=(--ca "$E/pki/ca.crt" --cert "$E/pki/client.crt" --key "$E/pki/client.key")
check() { etcd-check check "${TLS[@]}" --endpoints "$(cat "$E/endpoints")"; }

etcd_up "$E" 25700 3 --quota-backend-bytes 100663296 || fail "etcd does not come up"
expect 0 check
says 'map(select(.record == "etcd-member")) | all(.quota_bytes == 100663296)'
proved "the quota is read from the metrics"

n=0
warned() { jq -es 'any(.check == "db-size" and .status == "warn")' "$OUT" >/dev/null; }
until check >"$OUT" && warned; do
  n=$((n + 1))
  [ "$n" -lt 120 ] || fail "no warning after $n MB"
  etcd_fill "$E" "$n" "$n" || fail "the database was full without a warning"
done
proved "from 80 % on it warns"

for n in $(seq $((n + 1)) 200); do
  head -c 1000000 /dev/urandom | etcd_ctl "$E" put "/registry/fill/$n" >/dev/null 2>&1 || break
done
expect 1 check
says 'any(.check == "nospace" and .severity == "critical")'
says 'any(.check == "db-size" and .status == "fail")'
says 'any(.record == "etcd-member" and .alarms == ["nospace"])'
proved "the alarm is reported, with the member that raised it"

expect 0 etcd-check save "${TLS[@]}" --endpoints "$(cat "$E/endpoints")" --out "$WORK/full.db"
expect 0 etcd-check verify "$WORK/full.db"
proved "a full database can be saved"
