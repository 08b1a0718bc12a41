# shellcheck shell=bash
# Drills in the lab, for the benchmark and the demo.

lab() { "$ROOT/scripts/ha-lab" "$@"; }
now_ms() { date +%s%3N; }

# What breaks a case, on which node; - is the holder.
case_fault() {
  case $1 in
    haproxy-killed) echo "haproxy-kill -" ;;
    haproxy-hung) echo "haproxy-hang -" ;;
    carrier) echo "carrier -" ;;
    partition) echo "partition -" ;;
    keepalived-stopped) echo "katerm -" ;;
    keepalived-killed) echo "kill9 -" ;;
    api-server-dead) echo "api-kill cp1" ;;
    api-server-500) echo "api-500 cp1" ;;
    api-server-silent) echo "api-cut cp1" ;;
    reload) echo "reload -" ;;
    *) die 2 "no such case: $1" ;;
  esac
}

# How long to look: the guide needs half a minute where ours needs none.
case_seconds() {
  case $1-$2 in
    guide-haproxy-killed) echo 42 ;;
    guide-haproxy-hung) echo 60 ;;
    guide-api-server-silent) echo 40 ;;
    guide-*) echo 9 ;;
    *) echo 6 ;;
  esac
}

# drill PROFILE CASE RUNS: the records of ha-drill.
drill() {
  local profile=$1 case=$2 runs=$3 fault node
  read -r fault node < <(case_fault "$case")
  say "$profile: $case, $runs times"
  ip netns exec "$LAB-cl" ha-drill run --target "https://$VIP4:6443/livez" --cacert "$STATE/pki/ca.crt" \
    --rate 100 --deadline 300ms --duration "$(case_seconds "$profile" "$case")s" --at 1500ms --runs "$runs" \
    --inject "$ROOT/scripts/ha-lab break $fault ${node#-}" --heal "$ROOT/scripts/ha-lab heal" ||
    say "$profile: $case: ha-drill answered $?"
}

last() { jq -s "map(select(.record == \"drill\"))[-1] | $1" "$2"; }
median() { last '.outage_ms.median' "$1"; }
spread() { last '.outage_ms | "\(.min) to \(.max)"' "$1" | tr -d '"'; }
failed() { last '.failed.max' "$1"; }

# The least and the most that lb-render predicts for a case, ms.
prediction() {
  lb-render "$STATE/platform.yaml" --node lb1 --json |
    jq -r --arg case "$1" 'select(.record == "prediction" and .case == $case) | "\(.min_ms) \(.max_ms // 1e9)"'
}

# How often either keepalived has become master.
transitions() { cat "$STATE"/lb[12]/keepalived.log | grep -c 'Entering MASTER STATE' || true; }
