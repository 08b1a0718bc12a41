#!/bin/bash
# What calico-cidr writes into manifests, as a real API server takes it; what it says of the pools a cluster has.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/scripts/lib/oracles.sh"
. "$ROOT/scripts/lib/controlplane.sh"
oracles || skip "the oracles are not built"
need etcd=etcd-server jq=jq || skip "etcd or jq is missing"
API=$WORK/api PORT=26463
trap 'status=$?; control_plane_down "$API"; story_end $status' EXIT
control_plane_up "$API" "$PORT" || fail "the control plane does not come up"
kubectl() { "$ORACLES/kubectl" --kubeconfig "$API/super-admin.conf" "$@"; }
EXAMPLES=$ROOT/tests/fixtures/examples PLATFORM=$ROOT/tests/fixtures/examples/platform.yaml

# taken FILE: the API server takes it, strictly; the objects it would keep are in FILE.json.
taken() {
  kubectl apply --dry-run=server --validate=strict -o json -f "$1" >"$1.json" 2>"$1.err" || fail "the API server refuses $1: $(head -3 "$1.err")"
  [ ! -s "$1.err" ] || fail "the API server warns of $1: $(head -3 "$1.err")"
}
# env FILE NAME: what a variable of calico-node is in there; "-" if it is not there.
env_of() {
  jq -r --arg name "$2" '[.items[] | select(.kind == "DaemonSet") | .spec.template.spec.containers[] | select(.name == "calico-node")
    | .env[] | select(.name == $name) | .value // "nothing"] | if . == [] then "-" else join(" and ") end' "$1.json"
}

manifests=("$EXAMPLES/calico.yaml")
[ -z "${BAREPLANE_CORPUS:-}" ] || manifests+=("$BAREPLANE_CORPUS"/calico/*/calico.yaml)
for manifest in "${manifests[@]}"; do
  expect 0 calico-cidr set --platform "$PLATFORM" --block-size 24 "$manifest"
  cp "$OUT" "$WORK/set.yaml"
  taken "$WORK/set.yaml"
  cp "$manifest" "$WORK/before.yaml"
  taken "$WORK/before.yaml"
  said=$(for name in CALICO_IPV4POOL_CIDR CALICO_IPV4POOL_IPIP CALICO_IPV4POOL_VXLAN CALICO_IPV4POOL_BLOCK_SIZE IP_AUTODETECTION_METHOD; do env_of "$WORK/set.yaml" "$name"; done | xargs)
  [ "$said" = "10.244.0.0/16 Never CrossSubnet 24 kubernetes-internal-ip" ] || fail "$manifest: $said"
  # Everything else is the same for the API server too.
  rest='del(.items[] | select(.kind == "DaemonSet") | .spec.template.spec.containers[].env[]? | select(.name | test("^(CALICO_IPV4POOL_|IP_AUTODETECTION_METHOD)"))) | del(.items[].metadata | .uid, .creationTimestamp, .managedFields, .annotations) | .items'
  cmp <(jq -S "$rest" "$WORK/before.yaml.json") <(jq -S "$rest" "$WORK/set.yaml.json") || fail "$manifest: more than the variables differs"
done
proved "the API server takes what was set in ${#manifests[@]} manifests, and nothing else differs for it"

sed 's/# - name: CALICO_IPV4POOL_CIDR/- name: CALICO_IPV4POOL_CIDR/' "$EXAMPLES/calico.yaml" >"$WORK/half.yaml"
taken "$WORK/half.yaml"
[ "$(env_of "$WORK/half.yaml" CALICO_IPV4POOL_CIDR)" = nothing ] || fail "half a pair has a value"
expect 1 calico-cidr check "$WORK/half.yaml"
says 'any(.[]; .check == "half" and .status == "fail")'
proved "a name without its value passes strict validation, and is found"

expect 0 calico-cidr set --cidr 10.10.0.0/16 "$EXAMPLES/canal.yaml"
cp "$OUT" "$WORK/canal.yaml"
taken "$WORK/canal.yaml"
jq -e '.items[] | select(.kind == "ConfigMap") | .data["net-conf.json"] | fromjson | .Network == "10.10.0.0/16" and .Backend.Type == "vxlan"' "$WORK/canal.yaml.json" >/dev/null || fail "flannel's JSON is another"
proved "flannel's net-conf.json is JSON still, with the other network"

expect 0 calico-cidr set --cidr 10.244.0.0/16 --cidr fd44::/48 --autodetect 'interface=^eth[0-9]$' "$EXAMPLES/calico.yaml"
cp "$OUT" "$WORK/dual.yaml"
taken "$WORK/dual.yaml"
said=$(for name in CALICO_IPV6POOL_CIDR IP6 IP6_AUTODETECTION_METHOD FELIX_IPV6SUPPORT; do env_of "$WORK/dual.yaml" "$name"; done | xargs)
[ "$said" = 'fd44::/48 autodetect interface=^eth[0-9]$ true' ] || fail "dual stack: $said"
proved "a dual stack's variables arrive as they were meant"

kubectl apply -f - >/dev/null <<'END'
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ippools.crd.projectcalico.org}
spec:
  group: crd.projectcalico.org
  names: {kind: IPPool, plural: ippools, singular: ippool, listKind: IPPoolList}
  scope: Cluster
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
END
within 20 kubectl wait --for=condition=Established --timeout=1s crd/ippools.crd.projectcalico.org >/dev/null
kubectl get ippools -o json >"$WORK/none.json"
expect 0 calico-cidr check --pools "$WORK/none.json" "$WORK/dual.yaml"
says 'all(.[]; .check != "no-effect")'
pool() {
  echo "{\"apiVersion\":\"crd.projectcalico.org/v1\",\"kind\":\"IPPool\",\"metadata\":{\"name\":\"default-ipv4-ippool\"},\"spec\":$1}" | kubectl apply -f - >/dev/null
  kubectl get ippools -o json >"$WORK/pools.json"
}
pool '{"cidr":"192.168.0.0/16","blockSize":26,"ipipMode":"Always","vxlanMode":"Never","natOutgoing":true}'
expect 0 calico-cidr set --platform "$PLATFORM" --pools "$WORK/pools.json" "$EXAMPLES/calico.yaml"
complains "no effect after install: the pool default-ipv4-ippool is there already"
cp "$OUT" "$WORK/set.yaml"
expect 0 calico-cidr check --platform "$PLATFORM" --pools "$WORK/pools.json" "$WORK/set.yaml"
says 'map(.current) == ["192.168.0.0/16", "ipip"] and all(.[]; .check == "no-effect")'
pool '{"cidr":"10.244.0.0/16","blockSize":26,"ipipMode":"Never","vxlanMode":"CrossSubnet","natOutgoing":true}'
expect 0 calico-cidr check --platform "$PLATFORM" --pools "$WORK/pools.json" "$WORK/set.yaml"
says '. == []'
proved "pools that are there already are said to stay, and agree once they are as the manifest says"
