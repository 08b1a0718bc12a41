# shellcheck shell=bash
# A stand-in for S3 on loopback (moto), and one in between that misbehaves:
#
#   need_moto              installs it, once, into the cache; MOTO is its Python
#   s3_up DIR              starts it; S3 is its URL, and the AWS_ variables fit it
#   s3_bucket NAME         makes a bucket
#   s3_get NAME DIR        copies a bucket's files into a folder
#   s3_remove NAME KEY     removes an object
#   s3_faults DIR MODE     a server in front of it that fails as told; S3_FAULTS is its URL
#   s3_down DIR            ends both
#
# It keeps what it has in memory, and honours If-None-Match as Amazon does.

need_moto() { need_wheel MOTO 'moto[server,s3]==5.2.5' moto.server; }

s3_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# s3_answers URL: waits until it does, ten seconds.
s3_answers() {
  local tries
  for ((tries = 0; tries < 100; tries++)); do
    ! curl -s -o /dev/null --max-time 1 "$1" || return 0
    sleep 0.1
  done
  say "nobody answers at $1"
  return 1
}

s3_up() {
  local port
  port=$(s3_port)
  S3=http://127.0.0.1:$port
  export AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret-of-the-tests AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL=$S3
  "$MOTO" -m moto.server -H 127.0.0.1 -p "$port" >"$1/s3.log" 2>&1 &
  echo $! >"$1/s3.pid"
  s3_answers "$S3"
}

s3_bucket() { curl -sf -o /dev/null -X PUT "$S3/$1"; }

s3_get() {
  "$MOTO" - "$S3" "$1" "$2" <<'END'
import os, sys, boto3
url, bucket, folder = sys.argv[1:]
s3 = boto3.client("s3", endpoint_url=url)
for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
    for entry in page.get("Contents", []):
        path = os.path.join(folder, entry["Key"])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        s3.download_file(bucket, entry["Key"], path)
END
}

s3_remove() {
  "$MOTO" -c 'import boto3, sys; boto3.client("s3", endpoint_url=sys.argv[1]).delete_object(Bucket=sys.argv[2], Key=sys.argv[3])' "$S3" "$1" "$2"
}

s3_faults() {
  local port
  port=$(s3_port)
  S3_FAULTS=http://127.0.0.1:$port
  python3 "$ROOT/tests/oracles/s3_faults.py" "$port" "${S3#http://}" "$2" >"$1/faults.log" 2>&1 &
  echo $! >"$1/faults.pid"
  s3_answers "$S3_FAULTS/-/up"
}

s3_down() {
  local name
  for name in faults s3; do
    [ -e "$1/$name.pid" ] || continue
    kill "$(cat "$1/$name.pid")" 2>/dev/null || true
    wait "$(cat "$1/$name.pid")" 2>/dev/null || true
    rm -f "$1/$name.pid"
  done
}
