#!/bin/bash
# cluster-verify's verdict on real API servers: as the platform says, and broken in every way it looks for.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/scripts/lib/oracles.sh"
. "$ROOT/scripts/lib/controlplane.sh"
. "$ROOT/scripts/lib/objects.sh"
if [ -z "${IN_NAMESPACE:-}" ]; then
  can_namespace || skip "network namespaces need root"
  oracles || skip "the oracles are not built"
  need etcd=etcd-server haproxy=haproxy socat=socat jq=jq curl=curl openssl=openssl || skip "etcd, haproxy, socat or jq is missing"
  rm -rf "$WORK"
  # Everything happens in a network of its own, so that nobody else has these addresses.
  IN_NAMESPACE=1 exec unshare --net "$BASH" "$0"
fi
API_DIR=$WORK/api API_PORT=26443
trap 'status=$?; down; story_end $status' EXIT
down() {
  control_plane_down "$API_DIR"
  local file
  for file in "$WORK"/*.pid; do [ ! -e "$file" ] || end_pid "$(cat "$file")"; done
}

ip link set lo up
for n in 21 22 23 100; do ip addr add "10.77.0.$n/32" dev lo; done
CONTROL_PLANE_SANS=10.77.0.21,10.77.0.22,10.77.0.23,10.77.0.100
# No kubelet reports here: nobody is to be declared dead for it.
CONTROL_PLANE_MANAGER_FLAGS=(--node-monitor-grace-period=1h)
control_plane_up "$API_DIR" "$API_PORT" || fail "the control plane does not come up"
for n in 2 3; do control_plane_api "$API_DIR" "$API_PORT" "kube-apiserver-cp$n" "10.77.0.2$n" 6443; done
socat TCP-LISTEN:6443,bind=10.77.0.21,fork,reuseaddr TCP:127.0.0.1:26443 2>/dev/null &
echo $! >"$WORK/socat.pid"
cat >"$WORK/haproxy.cfg" <<END
defaults
  mode tcp
  timeout connect 1s
  timeout client 1m
  timeout server 1m
listen api
  bind 10.77.0.100:6443
  option httpchk GET /readyz
  default-server check check-ssl verify none inter 200 fall 1 rise 1
$(for n in 1 2 3; do echo "  server cp$n 10.77.0.2$n:6443"; done)
END
balancer() { haproxy -D -f "$WORK/haproxy.cfg" -p "$WORK/haproxy.pid"; }
balancer

# What kubeadm and Calico leave in a cluster.
api_certificate
names=(cp1 cp2 cp3 w1 w2)
for n in 1 2 3; do node_joins "cp$n" "10.77.0.2$n" control; done
for n in 1 2; do node_joins "w$n" "10.77.0.3$n"; done
workload Deployment kube-system coredns 2 '{"k8s-app":"kube-dns"}'
workload DaemonSet kube-system calico-node 0 '{"k8s-app":"calico-node"}'
api POST /api/v1/namespaces/kube-system/services '{"metadata":{"name":"kube-dns"},"spec":{"clusterIP":"10.96.0.10","selector":{"k8s-app":"kube-dns"},"ports":[{"name":"dns","port":53,"protocol":"UDP"}]}}' >/dev/null
api POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions '{"metadata":{"name":"ippools.crd.projectcalico.org"},"spec":{"group":"crd.projectcalico.org",
  "names":{"kind":"IPPool","plural":"ippools"},"scope":"Cluster","versions":[{"name":"v1","served":true,"storage":true,
  "schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}' >/dev/null
pool() { api POST /apis/crd.projectcalico.org/v1/ippools '{"apiVersion":"crd.projectcalico.org/v1","kind":"IPPool","metadata":{"name":"default-ipv4-ippool"},"spec":{"cidr":"10.244.0.0/16"}}' >/dev/null; }
wait_for 10 pool || fail "no IPPool can be made"
pods() { [ "$(api GET /api/v1/pods | jq '.items | length')" = 7 ]; }
wait_for 20 pods || fail "the controllers make no pods"
pods_run

platform() { sed "s/kubernetes: \"[0-9.]*\"/kubernetes: \"$(oracle_version)\"/" "$ROOT/tests/fixtures/examples/platform.yaml" >"$WORK/platform.yaml"; }
platform
conf() { sed "s|server: .*|server: $1|" "$API_DIR/super-admin.conf" >"$WORK/admin.conf"; }
conf https://10.77.0.100:6443
verify() {
  local name
  for name in "${names[@]}"; do node_lives "$name" 2>/dev/null || true; done
  cluster-verify run --kubeconfig "$WORK/admin.conf" "$@" "$WORK/platform.yaml"
}
killed() {
  for name; do
    kill -KILL "$(cat "$API_DIR/$name.pid")"
    rm "$API_DIR/$name.pid"
  done
}
# fails CHECK…: these and no others fail.
fails() { says "map(select(.status == \"fail\").check) | unique == (\"$*\" | split(\" \") | sort)"; }
well() { verify "$@" >"$WORK/well" 2>&1; }

wait_for 30 well || true
expect 0 verify
says 'length > 50 and all(.status == "pass" or .status == "not_applicable")'
says 'map(select(.status == "not_applicable").check) | sort == ["etcd-quorum", "vip-holder"]'
says 'map(select(.check == "api-ready").target) == ["cp1", "cp2", "cp3"]'
proved "a cluster as its platform says passes everything"

# The words of vip-status on two balancers, through ssh-fan.
for n in 1 2; do
  jq -nc --arg host "lb$n" --argjson local "$([ $n = 1 ] && echo true || echo false)" '{record: "vip", host: $host, vip: "10.77.0.100", verdict: "one", local: $local, holders: []}'
done >"$WORK/vip"
etcd-check check --ca "$API_DIR/pki/etcd/ca.crt" --cert "$API_DIR/pki/etcd/healthcheck-client.crt" --key "$API_DIR/pki/etcd/healthcheck-client.key" \
  --endpoints "https://127.0.0.1:$((API_PORT + 1))" >"$WORK/etcd" || true
expect 0 verify --vip "$WORK/vip" --etcd "$WORK/etcd" --checks vip,etcd
says 'any(.check == "vip-holder" and .status == "pass" and .current == "lb1")'
says 'any(.check == "etcd-quorum" and .status == "warn" or .status == "pass")'
sed -i 's/"local":false/"local":true/' "$WORK/vip"
expect 1 verify --vip "$WORK/vip" --checks vip
fails vip-holder
proved "what vip-status and etcd-check told is judged with it"

"$ORACLES/kubectl" --kubeconfig "$API_DIR/super-admin.conf" get -A nodes,deployments,services,endpointslices,daemonsets,ippools -o json >"$WORK/cluster.json"
expect 0 cluster-verify run --objects "$WORK/cluster.json" "$WORK/platform.yaml"
says 'length > 30'
proved "what kubectl prints is judged alike, with nobody to ask"

node_reports w1 '.conditions[0].status = "False" | .conditions[0].reason = "KubeletNotReady" | .conditions[0].message = "container runtime is down"'
expect 1 verify
fails node-ready
says 'any(.check == "node-ready" and .target == "w1" and .current == "KubeletNotReady: container runtime is down")'
says 'any(.check == "node-clock" and .target == "w1" and .status == "unknown")'
node_reports w1 '.conditions[0].status = "True"'
proved "a node that is not ready is named with its reason"

node_reports w1 '.nodeInfo.kubeletVersion = "v1.36.1"'
expect 1 verify
fails kubelet-version
node_reports w1 '.nodeInfo.kubeletVersion = "v1.30.0"'
expect 1 verify
fails kubelet-skew kubelet-version
node_reports w1 ".nodeInfo.kubeletVersion = \"v$(oracle_version)\""
proved "a kubelet of another version, and one out of the skew"

node_reports w1 '.addresses[0].address = "10.77.0.39"'
expect 1 verify
fails node-address
node_reports w1 '.addresses[0].address = "10.77.0.100"'
expect 1 verify
fails node-address vip-internal-ip
node_reports w1 '.addresses[0].address = "10.77.0.31"'
proved "another address than the platform's, and the virtual one (calico#5094)"

names=(cp1 cp2 cp3 w1 w2 w9)
node_joins w9 10.77.0.39
sed -i '/name: w2/d' "$WORK/platform.yaml"
expect 1 verify --checks nodes
says 'map(select(.check == "node-extra").target) | sort == ["w2", "w9"]'
api DELETE /api/v1/nodes/w9 >/dev/null
names=(cp1 cp2 cp3 w1 w2)
platform
proved "nodes the platform does not know are named"

pods_run k8s-app=kube-dns False
unready() { ! verify --checks coredns >"$WORK/dns" 2>&1 && grep -q '"current":"0 ready"' "$WORK/dns"; }
wait_for 10 unready || true
expect 1 verify --checks coredns
fails coredns-ready dns-endpoints
pods_run k8s-app=kube-dns
proved "CoreDNS without a ready endpoint"

wait_for 20 well || { cat "$WORK/well"; fail "the cluster does not settle"; }
node_lives w2 60
expect 1 cluster-verify run --kubeconfig "$WORK/admin.conf" --checks time "$WORK/platform.yaml"
says 'map(select(.status == "fail")) | map([.check, .target]) == [["node-clock", "w2"]]'
proved "a lease that was renewed by a clock that is slow"

kill -STOP "$(cat "$API_DIR/kube-apiserver-cp3.pid")"
expect 1 verify --timeout 6s --checks nodes,api
fails api-ready
says 'any(.check == "api-ready" and .target == "cp3" and (.current | contains("no answer in time")))'
proved "an API server that hangs costs time, not the answer"

killed kube-apiserver-cp3
sleep 0.5 # until the balancer has noticed
expect 1 verify
fails api-ready
says 'any(.check == "api-ready" and .target == "cp3" and (.current | contains("connection refused")))'
says 'any(.check == "vip-api" and .status == "pass")'
proved "one API server is dead: named, and the virtual address serves"

end_pid "$(cat "$WORK/haproxy.pid")"
expect 1 verify
fails api-ready vip-api
complains 'asking cp1 instead'
says 'any(.check == "node-ready" and .status == "pass")'
proved "the balancer is dead: a control plane is asked in its place"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=other -keyout "$WORK/other.key" -out "$WORK/other.crt" 2>/dev/null
conf https://10.77.0.21:6443
sed -i "s|certificate-authority-data: .*|certificate-authority-data: $(base64 -w0 "$WORK/other.crt")|" "$WORK/admin.conf"
expect 2 verify
complains 'did not sign it'
proved "with another CA nobody is believed"

# who SUBJECT DAYS: a kubeconfig of somebody the cluster's CA signed.
who() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$1" -keyout "$WORK/who.key" -out "$WORK/who.csr" 2>/dev/null
  openssl x509 -req -in "$WORK/who.csr" -CA "$API_DIR/pki/ca.crt" -CAkey "$API_DIR/pki/ca.key" -CAcreateserial -days "$2" \
    -extfile <(echo extendedKeyUsage=clientAuth) -out "$WORK/who.crt" 2>/dev/null
  conf https://10.77.0.21:6443
  sed -i "s|client-certificate-data: .*|client-certificate-data: $(base64 -w0 "$WORK/who.crt")|; s|client-key-data: .*|client-key-data: $(base64 -w0 "$WORK/who.key")|" "$WORK/admin.conf"
}
who /CN=nobody 2
expect 2 verify
complains 'nodes is forbidden'
who /O=system:masters/CN=admin 0
sleep 1.1
expect 2 verify
complains 'answered 401'
complains 'expired at'
proved "credentials that expired, or may not look, are status 2"

conf https://10.77.0.21:6443
killed etcd
expect 1 cluster-verify run --kubeconfig "$WORK/admin.conf" "$WORK/platform.yaml"
says 'any(.check == "etcd-reached" and .target == "cp1" and .status == "fail" and (.current | contains("etcd")))'
says 'any(.check == "api-ready" and .target == "cp2" and .status == "fail" and (.current | contains("etcd")))'
proved "without etcd each API server says what it misses"

killed kube-apiserver kube-apiserver-cp2
end_pid "$(cat "$WORK/socat.pid")"
expect 3 cluster-verify run --kubeconfig "$WORK/admin.conf" "$WORK/platform.yaml"
complains 'connection refused'
proved "nobody answers: status 3"
