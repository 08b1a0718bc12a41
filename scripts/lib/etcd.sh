# shellcheck shell=bash
# A real etcd cluster on loopback, every member with mutual TLS:
#
#   etcd_up DIR PORT COUNT [FLAG…]   members m1, m2, … on PORT, PORT+10, …
#   etcd_ctl DIR COMMAND…            etcdctl with the client's certificate
#   etcd_kill DIR NAME…              kill -9
#   etcd_start DIR NAME [FLAG…]      again, or for the first time
#   etcd_down DIR                    ends all of them; the folder stays
#
# In the folder: pki/{ca.crt,client.crt,client.key,…}, endpoints, and of each
# member NAME.env, NAME.log, NAME.pid and its data.

etcd_needs() { need etcd=etcd-server etcdctl=etcd-client openssl=openssl jq=jq; }

# A CA, and one certificate for servers and clients alike, as kubeadm's peers have.
etcd_pki() {
  local dir=$1/pki
  mkdir -p "$dir"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=etcd-ca \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,digitalSignature \
    -keyout "$dir/ca.key" -out "$dir/ca.crt" 2>/dev/null
  etcd_certificate "$dir" server "subjectAltName=${ETCD_SAN:-IP:127.0.0.1}"$'\nextendedKeyUsage=serverAuth,clientAuth'
  etcd_certificate "$dir" client extendedKeyUsage=clientAuth
}

# etcd_certificate DIR NAME EXTENSIONS
etcd_certificate() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout "$1/$2.key" -out "$1/$2.csr" 2>/dev/null
  openssl x509 -req -in "$1/$2.csr" -CA "$1/ca.crt" -CAkey "$1/ca.key" -CAcreateserial -days 2 \
    -extfile <(printf 'basicConstraints=critical,CA:FALSE\n%s\n' "$3") -out "$1/$2.crt" 2>/dev/null
}

# etcd_describe DIR NAME CLIENT_URL PEER_URL: what its process is started with.
etcd_describe() {
  local pki=$1/pki
  cat >"$1/$2.env" <<END
ETCD_NAME=$2
ETCD_DATA_DIR=$1/$2
ETCD_LISTEN_CLIENT_URLS=$3
ETCD_ADVERTISE_CLIENT_URLS=$3
ETCD_LISTEN_PEER_URLS=$4
ETCD_INITIAL_ADVERTISE_PEER_URLS=$4
ETCD_CERT_FILE=$pki/server.crt
ETCD_KEY_FILE=$pki/server.key
ETCD_TRUSTED_CA_FILE=$pki/ca.crt
ETCD_CLIENT_CERT_AUTH=true
ETCD_PEER_CERT_FILE=$pki/server.crt
ETCD_PEER_KEY_FILE=$pki/server.key
ETCD_PEER_TRUSTED_CA_FILE=$pki/ca.crt
ETCD_PEER_CLIENT_CERT_AUTH=true
END
}

etcd_url() { sed -n 's/^ETCD_ADVERTISE_CLIENT_URLS=//p' "$1/$2.env"; }
etcd_peer_url() { sed -n 's/^ETCD_LISTEN_PEER_URLS=//p' "$1/$2.env"; }

etcd_start() {
  local dir=$1 name=$2
  shift 2
  # shellcheck disable=SC2046  # one word a setting
  env $(cat "$dir/$name.env") etcd "$@" >>"$dir/$name.log" 2>&1 </dev/null &
  echo $! >"$dir/$name.pid"
}

etcd_up() {
  local dir=$1 port=$2 count=$3 n urls=()
  shift 3
  mkdir -p "$dir"
  etcd_pki "$dir"
  for n in $(seq "$count"); do
    etcd_describe "$dir" "m$n" "https://127.0.0.1:$((port + 10 * n))" "https://127.0.0.1:$((port + 10 * n + 1))"
    urls+=("m$n=$(etcd_peer_url "$dir" "m$n")")
  done
  etcd_together "$dir" "$count" "$(IFS=,; echo "${urls[*]}")" "$@"
}

# etcd_together DIR COUNT INITIAL_CLUSTER [FLAG…]: the described members, for the first time.
etcd_together() {
  local dir=$1 count=$2 initial=$3 n
  shift 3
  for n in $(seq "$count"); do
    echo "ETCD_INITIAL_CLUSTER=$initial" >>"$dir/m$n.env"
    etcd_start "$dir" "m$n" "$@"
  done
  for n in $(seq "$count"); do etcd_url "$dir" "m$n"; done | paste -sd, >"$dir/endpoints"
  wait_for 20 etcd_ctl "$dir" endpoint health || {
    tail -n 3 "$dir"/*.log >&2
    return 1
  }
}

etcd_ctl() {
  local dir=$1
  shift
  ETCDCTL_API=3 etcdctl --endpoints "$(cat "$dir/endpoints")" --command-timeout 10s \
    --cacert "$dir/pki/ca.crt" --cert "$dir/pki/client.crt" --key "$dir/pki/client.key" "$@"
}

etcd_kill() {
  local dir=$1 name pid
  shift
  for name in "$@"; do
    pid=$(cat "$dir/$name.pid")
    # The shell would announce the death of its child.
    { kill -KILL "$pid" && wait "$pid"; } 2>/dev/null || true
    rm -f "$dir/$name.pid"
  done
}

etcd_down() {
  local file
  for file in "$1"/*.pid; do
    [ ! -e "$file" ] || etcd_kill "$1" "$(basename "$file" .pid)"
  done
}

# etcd_fill DIR FROM TO: keys of 1 MB each that do not compress.
etcd_fill() {
  local n
  for n in $(seq "$2" "$3"); do
    head -c 1000000 /dev/urandom | etcd_ctl "$1" put "/registry/fill/$n" >/dev/null
  done
}
