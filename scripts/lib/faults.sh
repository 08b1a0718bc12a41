# shellcheck shell=bash
# What can break on a node, and the way back. Healing is idempotent: it puts
# right whatever is wrong, without knowing what was broken.

FAULTS=(haproxy-killed haproxy-hung carrier partition keepalived-stopped keepalived-killed keepalived-orphaned reload api-killed api-500 api-silent)

holders() {
  local node
  for node in lb1 lb2; do
    [ -z "$(ip -n "$LAB-$node" -o addr show to "$1")" ] || echo "$node"
  done
}

# The lab as ha-drill wants it described.
drill_file() {
  jq -n --arg lab "$ROOT/scripts/ha-lab" --arg prefix "$LAB-" \
    --arg lb1 "$(via lb1)" --arg lb2 "$(via lb2)" '
    def broken($fault; $node): {inject: [$lab, "break", $fault, $node], heal: [$lab, "heal"]};
    { nodes: {lb1: ($lb1 / " "), lb2: ($lb2 / " ")},
      address: ["ip", "-n", ($prefix + "{node}"), "-json", "address"],
      ready: [$lab, "ready"],
      scenarios: (
        (["haproxy-killed", "haproxy-hung", "carrier", "partition", "keepalived-stopped", "keepalived-killed", "reload"]
          | map({key: ., value: broken(.; "{node}")}) | from_entries)
        + (["api-killed", "api-500", "api-silent"] | map({key: ., value: broken(.; "cp1")}) | from_entries)
        + {failback: {prepare: [$lab, "break", "keepalived-stopped", "{node}"], inject: [$lab, "heal", "{node}"], heal: [$lab, "heal"]}})}'
}

via() { printf 'nsenter -t %s -m -n -p -u --\n' "$(node_pid "$1")"; }

api_socket() { echo "$2" | on "$1" socat - /run/api.sock >/dev/null; }

break_node() {
  local fault=$1 node=$2 path
  case $fault in
    haproxy-killed) signal "$node" haproxy KILL ;;
    haproxy-hung) signal "$node" haproxy STOP ;;
    carrier) ip -n "$LAB-sw" link set "p-$node" down ;;
    partition | api-silent) ip -n "$LAB-sw" link set "p-$node" nomaster ;;
    keepalived-stopped)
      signal "$node" keepalived TERM
      wait_for 5 gone "$node" keepalived
      ;;
    # The child first: when its parent dies it is told to stop as it should.
    keepalived-killed) processes "$node" keepalived | tac | xargs kill -KILL ;;
    keepalived-orphaned) kill -KILL "$(processes "$node" keepalived | head -1)" ;;
    reload) echo reload | on "$node" socat - /run/haproxy-master.sock ;;
    api-killed) signal "$node" haproxy KILL ;;
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

daemons_run() {
  local node
  for node in lb1 lb2; do running "$node" haproxy && running "$node" keepalived || return 1; done
}

# The guide's pair preempts: until the better one has the address, it will move again.
settled() {
  [ "$(cat "$STATE/profile")" = ours ] || [ "$(holders "$VIP4" | xargs)" = lb1 ] || return 1
  daemons_run && [ "$(holders "$VIP4" | wc -l)" = 1 ] && ask_vip && servers_up && ask_vip && ask_vip
}
