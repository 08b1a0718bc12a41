#!/bin/bash
# haproxy reloads, by lb-apply, under a hundred new connections a second: none
# fails.
. "$(dirname "$0")/../lib.sh"
lab_ready lb-render lb-apply ha-drill
node=$(holder)
lb-render "$STATE/platform.yaml" --node "$node" --json >"$WORK/old"
sed 's/^load_balancing: {/&health_port: 8405, /' "$STATE/platform.yaml" | lb-render --node "$node" --json >"$WORK/new"
cat >"$WORK/change" <<EOF
#!/bin/sh
exec $(lab via "$node") lb-apply apply --haproxy-master $MASTER --keepalived-pid /run/keepalived.pid <$WORK/\$1
EOF
chmod +x "$WORK/change"

expect 0 ip netns exec "$LAB-cl" ha-drill run custom --target "https://$VIP4:6443/livez" --cacert "$STATE/pki/ca.crt" \
  --rate 100 --deadline 1s --duration 5s --at 1500ms --runs 1 --inject "$WORK/change new" --heal "$WORK/change old"
says 'map(select(.record == "drill-run"))[0] | .failed == 0 and .requests >= 400'
proved "$(jq -s 'map(select(.record == "drill-run"))[0].requests' "$OUT") requests, none failed"
[ "$(holder)" = "$node" ] || fail "the reload moved the address"
proved "the address stayed on $node"
healthy
