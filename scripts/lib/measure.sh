# shellcheck shell=bash
# Drills in the lab, for the benchmark and the demo.

lab() { "$ROOT/scripts/ha-lab" "$@"; }
now_ms() { date +%s%3N; }

# How long to look: the guide needs half a minute where ours needs none.
case_seconds() {
  case $1-$2 in
    guide-haproxy-killed) echo 42 ;;
    guide-haproxy-hung) echo 60 ;;
    guide-api-silent) echo 40 ;;
    guide-*) echo 9 ;;
    *) echo 4 ;;
  esac
}

# drill PROFILE SCENARIO RUNS: the records of ha-drill.
drill() {
  local profile=$1 scenario=$2 runs=$3 status=0 predictions=()
  say "$profile: $scenario, $runs times"
  lab drill-file >"$STATE/drill.json"
  if [ "$profile" = ours ]; then
    lb-render "$STATE/platform.yaml" --json >"$STATE/predictions"
    predictions=(--predictions "$STATE/predictions")
  fi
  lab client ha-drill run "$scenario" --lab "$STATE/drill.json" "${predictions[@]}" \
    --target "https://$VIP4:6443/livez" --cacert "$STATE/pki/ca.crt" --rate 100 --deadline 300ms \
    --duration "$(case_seconds "$profile" "$scenario")s" --at 1500ms --runs "$runs" || status=$?
  [ "$status" = 0 ] || say "$profile: $scenario: ha-drill answered $status"
}

last() { jq -s "map(select(.record == \"drill\"))[-1] | $1" "$2"; }
# A figure that could not be measured is no good one.
median() { last '.outage_ms.median // 1e9' "$1"; }
spread() { last '.outage_ms | "\(.min) to \(.max)"' "$1" | tr -d '"'; }
failed() { last '.failed.max // 1e9' "$1"; }

# The least and the most that lb-render predicts for a case, ms.
prediction() {
  lb-render "$STATE/platform.yaml" --node lb1 --json |
    jq -r --arg case "$1" 'select(.record == "prediction" and .case == $case) | "\(.min_ms) \(.max_ms // 1e9)"'
}

# How often either keepalived has become master.
transitions() { cat "$STATE"/lb[12]/keepalived.log | grep -c 'Entering MASTER STATE' || true; }
