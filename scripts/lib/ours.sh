# shellcheck shell=bash
# The balancers as Bareplane sets them up: one document, rendered and applied.

CA=/etc/kubernetes/pki/ca.crt
STATS=/run/haproxy/admin.sock
MASTER=/run/haproxy-master.sock
TRACK=/run/bareplane/vip.track

# platform ADVERT CHECK V6: the document of this lab.
platform() {
  local advert=$1 check=$2 v6=$3 node
  echo "version: 1"
  echo 'cluster: {name: lab, kubernetes: "1.36.3"}'
  echo "network:"
  echo "  node_cidrs: [$NET4.0/24, '${NET6}/64']"
  echo "  pod_cidr: 10.244.0.0/16"
  echo "  service_cidr: 10.96.0.0/16"
  if [ "$v6" = true ]; then echo "  vips: [$VIP4, '$VIP6']"; else echo "  vips: [$VIP4]"; fi
  echo "load_balancing: {vrid: 51, advert_ms: $advert, check: {mode: $check$([ "$check" != script ] || echo ', interval_ms: 1000')}}"
  echo "hosts:"
  for node in lb1 lb2; do
    echo "  - {name: $node, roles: [lb], ip: $NET4.${HOST[$node]}, ip6: '$NET6${HOST[$node]}', interface: eth0}"
  done
  for node in cp1 cp2 cp3; do
    echo "  - {name: $node, roles: [control-plane, etcd], ip: $NET4.${HOST[$node]}, ip6: '$NET6${HOST[$node]}'}"
  done
}

# What a package's unit, tmpfiles.d and kubeadm would have put there.
prepare() {
  on "$1" mkdir -p "$(dirname $CA)" "$(dirname $STATS)" "$(dirname $TRACK)"
  on "$1" cp "$STATE/pki/ca.crt" $CA
}

# apply NODE [OPTION…]: the document's files onto a balancer, as an operator would.
apply() {
  local node=$1
  shift
  lb-render "$STATE/platform.yaml" --node "$node" --json | on "$node" lb-apply apply "$@"
}

# The same on a balancer that serves, with reload and verification.
reapply() {
  apply "$1" --haproxy-master $MASTER --keepalived-pid /run/keepalived.pid \
    --verify-url "https://$VIP4:6443/readyz" --cacert $CA --min-up 2 "${@:2}"
}

# unit NODE NAME FILE: starts what a unit or drop-in says, as systemd would.
unit() {
  local start nice
  start=$(on "$1" sed -n 's/^ExecStart=\(..*\)/\1/p' "$3" | tail -1)
  nice=$(on "$1" sed -n 's/^Nice=//p' "$3")
  # shellcheck disable=SC2086 # words of a command line
  daemon "$1" "$2" nice -n "${nice:-0}" $start
}

helpers_up() {
  local units=/etc/systemd/system
  on "$1" sh -c 'for file in /etc/sysctl.d/*bareplane*; do sysctl -qp "$file"; done' 2>/dev/null || true
  running "$1" ha-notify || unit "$1" ha-notify $units/bareplane-notify.service
  ! on "$1" test -e $units/bareplane-vipcheck.service || running "$1" ha-vipcheck ||
    unit "$1" ha-vipcheck $units/bareplane-vipcheck.service
}

ours_up() {
  local node
  platform "$@" >"$STATE/platform.yaml"
  for node in lb1 lb2; do
    prepare "$node"
    apply "$node" >>"$STATE/$node/apply.log"
    haproxy_up "$node"
    helpers_up "$node"
    keepalived_up "$node"
  done
}
