# shellcheck shell=bash
# What can break on a node, and the way back. Healing is idempotent: it puts
# right whatever is wrong, without knowing what was broken.

FAULTS=(haproxy-kill haproxy-hang carrier partition katerm kill9 kill-parent reload api-kill api-500 api-cut)

holders() {
  local node
  for node in lb1 lb2; do
    [ -z "$(ip -n "$LAB-$node" -o addr show to "$1")" ] || echo "$node"
  done
}

api_socket() { echo "$2" | on "$1" socat - /run/api.sock >/dev/null; }

break_node() {
  local fault=$1 node=$2 path
  case $fault in
    haproxy-kill) signal "$node" haproxy KILL ;;
    haproxy-hang) signal "$node" haproxy STOP ;;
    carrier) ip -n "$LAB-sw" link set "p-$node" down ;;
    partition | api-cut) ip -n "$LAB-sw" link set "p-$node" nomaster ;;
    katerm) signal "$node" keepalived TERM ;;
    kill9) signal "$node" keepalived KILL ;;
    kill-parent) kill -KILL "$(processes "$node" keepalived | head -1)" ;;
    reload) echo reload | on "$node" socat - /run/haproxy-master.sock ;;
    api-kill) signal "$node" haproxy KILL ;;
    api-500) for path in /livez /readyz /healthz; do api_socket "$node" "add acl /run/api.sick $path"; done ;;
    *) die 2 "no such fault: $fault (there are: ${FAULTS[*]})" ;;
  esac
}

heal_node() {
  local node=$1
  ip -n "$LAB-sw" link set "p-$node" master br0 up
  signal "$node" haproxy CONT
  case $node in
    cp*)
      running "$node" haproxy || api_up "$node"
      wait_for 5 api_socket "$node" 'clear acl /run/api.sick'
      ;;
    lb*)
      running "$node" haproxy || haproxy_up "$node"
      running "$node" keepalived || keepalived_up "$node"
      [ "$(cat "$STATE/profile")" != ours ] || helpers_up "$node"
      ;;
  esac
}

ask_vip() { on cl curl -fsS -o /dev/null --max-time 0.5 --cacert "$STATE/pki/ca.crt" "https://$VIP4:6443/readyz"; }

# Every server as both balancers see it.
servers_up() {
  local node
  for node in lb1 lb2; do
    [ "$(echo '@1 show stat -1 4 -1' | on "$node" socat - /run/haproxy-master.sock | cut -d, -f18 | grep -c '^UP')" = 3 ] || return 1
  done
}

settled() {
  [ "$(holders "$VIP4" | wc -l)" = 1 ] && ask_vip && servers_up && ask_vip && ask_vip
}
