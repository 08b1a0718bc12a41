# shellcheck shell=bash
# Objects in a real API server (scripts/lib/controlplane.sh) whose nodes have no
# kubelet: what kubelets would report is written in their place, everything
# else is the work of the real controllers.
#
#   api METHOD PATH [BODY]          the API as an administrator, from API_DIR at API_PORT
#   node_joins NAME IP [control]    a node, ready
#   node_reports NAME JQ            changes its status
#   node_lives NAME [SECONDS]       renews its lease, so long ago
#   pods_run [SELECTOR [STATUS]]    every pod gets a node and is ready (True) or not (False)

# What the server says goes to standard output; no if it says no.
api() {
  local type=application/json
  [ "$1" != PATCH ] || type=application/merge-patch+json
  curl -fsS --max-time 10 --cacert "$API_DIR/pki/ca.crt" --cert "$API_DIR/pki/admin.pem" -X "$1" \
    -H "content-type: $type" ${3:+--data-binary "$3"} "https://127.0.0.1:$API_PORT$2"
}

# The administrator's certificate and key, for curl.
api_certificate() {
  (umask 077 && for name in certificate key; do
    sed -n "s/.*client-$name-data: //p" "$API_DIR/super-admin.conf" | base64 -d
  done >"$API_DIR/pki/admin.pem")
}

node_joins() {
  local labels='{}' taints='[]'
  if [ "${3:-}" = control ]; then
    labels='{"node-role.kubernetes.io/control-plane":""}'
    taints='[{"key":"node-role.kubernetes.io/control-plane","effect":"NoSchedule"}]'
  fi
  api POST /api/v1/nodes "{\"metadata\":{\"name\":\"$1\",\"labels\":$labels},\"spec\":{\"taints\":$taints}}" >/dev/null
  node_reports "$1" ".addresses = [{type: \"InternalIP\", address: \"$2\"}, {type: \"Hostname\", address: \"$1\"}]
    | .conditions = [{type: \"Ready\", status: \"True\", reason: \"KubeletReady\", message: \"\"}]
    | .nodeInfo.kubeletVersion = \"v$(oracle_version)\""
  node_lives "$1"
}

node_reports() {
  local status
  status=$(api GET "/api/v1/nodes/$1" | jq -c ".status | $2")
  api PATCH "/api/v1/nodes/$1/status" "{\"status\":$status}" >/dev/null
}

node_lives() {
  local leases=/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases when
  when=$(date -u -d "${2:-0} seconds ago" +%Y-%m-%dT%H:%M:%S.%6NZ)
  api PATCH "$leases/$1" "{\"spec\":{\"renewTime\":\"$when\"}}" >/dev/null 2>&1 ||
    api POST "$leases" "{\"metadata\":{\"name\":\"$1\"},\"spec\":{\"holderIdentity\":\"$1\",\"leaseDurationSeconds\":40,\"renewTime\":\"$when\"}}" >/dev/null
}

pods_run() {
  local pods namespace name node address number=1 ready=${2:-True} nodes spare
  pods=$(api GET "/api/v1/pods?labelSelector=${1:-}" | jq -c '.items[]')
  mapfile -t nodes < <(api GET /api/v1/nodes | jq -r '.items[] | select(.spec.unschedulable | not).metadata.name')
  while read -r pod; do
    [ -n "$pod" ] || continue
    namespace=$(jq -r .metadata.namespace <<<"$pod") name=$(jq -r .metadata.name <<<"$pod")
    node=$(jq -r '.spec.nodeName // ""' <<<"$pod")
    number=$((number + 1))
    if [ -z "$node" ]; then
      # A daemon set says itself where each of its pods belongs.
      spare=${nodes[$((number % ${#nodes[@]}))]}
      node=$(jq -r --arg spare "$spare" '.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].values[0] // $spare' <<<"$pod")
      api POST "/api/v1/namespaces/$namespace/pods/$name/binding" "{\"apiVersion\":\"v1\",\"kind\":\"Binding\",\"metadata\":{\"name\":\"$name\"},\"target\":{\"kind\":\"Node\",\"name\":\"$node\"}}" >/dev/null
    fi
    address=10.244.1.$number
    api PATCH "/api/v1/namespaces/$namespace/pods/$name/status" "{\"status\":{\"phase\":\"Running\",\"podIP\":\"$address\",\"podIPs\":[{\"ip\":\"$address\"}],
      \"conditions\":[{\"type\":\"Ready\",\"status\":\"$ready\"},{\"type\":\"ContainersReady\",\"status\":\"$ready\"}]}}" >/dev/null
  done <<<"$pods"
}

# kubelets NODE…: what is left of pods that were asked to leave these nodes goes, those to come are run; until killed.
kubelets() {
  local pod
  while :; do
    for node; do
      api GET "/api/v1/pods?fieldSelector=spec.nodeName%3D$node" | jq -r '.items[] | select(.metadata.deletionTimestamp) | "\(.metadata.namespace)/pods/\(.metadata.name)"' |
        while read -r pod; do api DELETE "/api/v1/namespaces/$pod" '{"gracePeriodSeconds":0}' >/dev/null; done
    done
    pods_run ''
    sleep 0.3
  done 2>/dev/null || true
}

# workload KIND NAMESPACE NAME REPLICAS LABELS: pods that do nothing.
workload() {
  local replicas="" kind=${1,,}s
  [ "$1" = DaemonSet ] || replicas="\"replicas\":$4,"
  api POST "/apis/apps/v1/namespaces/$2/$kind" "{\"metadata\":{\"name\":\"$3\",\"labels\":$5},\"spec\":{$replicas\"selector\":{\"matchLabels\":$5},
    \"template\":{\"metadata\":{\"labels\":$5},\"spec\":{\"tolerations\":[{\"operator\":\"Exists\"}],\"containers\":[{\"name\":\"c\",\"image\":\"none\"}]}}}}" >/dev/null
}
