#!/bin/bash
# The example's pipeline on real Kafka, PostgreSQL, MariaDB and S3, small; one of three that share the work is killed.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
# shellcheck source=scripts/lib/kafka.sh
. "$ROOT/scripts/lib/kafka.sh"
# shellcheck source=scripts/lib/databases.sh
. "$ROOT/scripts/lib/databases.sh"
# shellcheck source=scripts/lib/s3.sh
. "$ROOT/scripts/lib/s3.sh"
{ need_kafka && need_databases && need_moto; } || skip "Kafka, a database or moto is missing"
expect 0 "$ROOT/scripts/stream-up" --rows 20000
grep -q 'Every count adds up' "$OUT" || fail "it does not say that its counts add up"
proved "the service on real parts: every count adds up, though one of three processes was killed"
