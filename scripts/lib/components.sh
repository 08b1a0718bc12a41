# shellcheck shell=bash
# What runs on the nodes: three stand-ins for API servers, and haproxy and
# keepalived on the two balancers.

# An authority and a certificate a control plane, as kubeadm would make them.
pki_up() {
  local dir=$STATE/pki node sans
  mkdir -p "$dir"
  pki_key ca
  openssl req -x509 -new -key "$dir/ca.key" -subj /CN=kubernetes -days 365 -out "$dir/ca.crt" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
  for node in cp1 cp2 cp3; do
    sans="DNS:kubernetes,DNS:localhost,DNS:$node,IP:127.0.0.1,IP:::1,IP:$VIP4,IP:$VIP6"
    sans+=",IP:$NET4.${HOST[$node]},IP:$NET6${HOST[$node]},IP:$NET4.11,IP:$NET4.12,IP:${NET6}11,IP:${NET6}12"
    pki_key "$node"
    openssl req -new -key "$dir/$node.key" -subj /CN=kube-apiserver |
      openssl x509 -req -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -days 365 -out "$dir/$node.crt" \
        -extfile <(echo "subjectAltName=$sans") 2>/dev/null
    install -m 0600 /dev/null "$dir/$node.pem"
    cat "$dir/$node.crt" "$dir/$node.key" >"$dir/$node.pem"
  done
}

pki_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -quiet -out "$STATE/pki/$1.key" 2>/dev/null; }

# haproxy as an API server: TLS, health paths, 403 for the rest as without
# anonymous access. A path on the list /run/api.sick answers 500.
api_config() {
  cat <<EOF
global
  stats socket /run/api.sock mode 600 level admin
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
frontend api
  bind :::6443 v4v6 ssl crt $STATE/pki/$1.pem ssl-min-ver TLSv1.2
  http-request return status 500 content-type text/plain string "[-]etcd failed: reason withheld" if { path -f /run/api.sick }
  http-request return status 200 content-type text/plain string "ok" if { path /livez /readyz /healthz }
  http-request return status 403 content-type application/json string "{\"kind\":\"Status\",\"code\":403}"
EOF
}

api_up() {
  on "$1" touch /run/api.sick
  api_config "$1" | on "$1" tee /run/api.cfg >/dev/null
  daemon "$1" api haproxy -f /run/api.cfg -p /run/api.pid
}

haproxy_up() {
  # As its service does, if it is ours.
  daemon "$1" haproxy nice -n "$(on "$1" sed -n 's/^Nice=//p' /etc/systemd/system/haproxy.service.d/50-bareplane.conf 2>/dev/null || echo 0)" \
    haproxy -W -f /etc/haproxy/haproxy.cfg -p /run/haproxy.pid -S /run/haproxy-master.sock
}

# keepalived dumps its state under fixed names in /tmp: as with systemd's
# PrivateTmp, each has its own.
keepalived_up() {
  on "$1" rm -f /run/keepalived.pid /run/vrrp.pid
  daemon "$1" keepalived unshare --mount sh -c \
    'mount -t tmpfs -o size=16m tmp /tmp && exec keepalived -n -l -D -P -f /etc/keepalived/keepalived.conf'
}

# processes NODE NAME: the process ids there, as the machine numbers them.
processes() {
  local pid
  for pid in $(ip netns pids "$LAB-$1"); do
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$2" ] || echo "$pid"
  done
}

# signal NODE NAME SIGNAL: to all processes of that name there.
signal() {
  local pids
  pids=$(processes "$1" "$2")
  # shellcheck disable=SC2086 # one word a process
  [ -z "$pids" ] || kill "-$3" $pids 2>/dev/null || true
}

running() { [ -n "$(processes "$1" "$2")" ]; }
gone() { ! running "$@"; }
