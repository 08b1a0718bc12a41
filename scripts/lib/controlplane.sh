# shellcheck shell=bash
# A real control plane on loopback: etcd, kube-apiserver and
# kube-controller-manager with the certificates kubeadm makes. It takes four
# ports from PORT on (API, etcd client, etcd peer, controller manager) and
# keeps everything in a folder:
#
#   pki/ admin.conf super-admin.conf   as kubeadm lays them out
#   kubeadm.yaml                       what it was asked for
#   NAME.log NAME.pid                  of the three
#
# CONTROL_PLANE_SANS (a list of names and addresses) goes into the API server's
# certificate, CONTROL_PLANE_MANAGER_FLAGS (an array) to the controller manager.
# With CONTROL_PLANE_ETCD (URLs of members that run) it starts no etcd of its own;
# their certificates are in the folder CONTROL_PLANE_ETCD_PKI, as etcd.sh makes them.
#
# It serves what `kubeadm init` leaves behind without a kubelet: kubeadm-config,
# kubeadm-certs (its key in certificate-key), a bootstrap token (in token), and
# cluster-info with signatures.

CONTROL_PLANE_SANS=${CONTROL_PLANE_SANS:-}
CONTROL_PLANE_MANAGER_FLAGS=()
CONTROL_PLANE_ETCD=""
CONTROL_PLANE_ETCD_PKI=""

# control_plane_up DIR [PORT]: waits until it serves and cluster-info is signed.
control_plane_up() {
  local dir=$1 port=${2:-26443}
  oracles || return 1
  need etcd=etcd-server curl=curl jq=jq || return 1
  mkdir -p "$dir"
  chmod 0700 "$dir"
  control_plane_files "$dir" "$port" || return 1
  control_plane_etcd "$dir" "$port"
  control_plane_api "$dir" "$port"
  wait_for 60 control_plane_get "$dir" "$port" /readyz || control_plane_failed "$dir" kube-apiserver || return 1
  control_plane_manager "$dir" "$port"
  control_plane_publish "$dir" >"$dir/kubeadm.out" 2>&1 || control_plane_failed "$dir" kubeadm || return 1
  wait_for 30 control_plane_signed "$dir" "$port" || control_plane_failed "$dir" kube-controller-manager || return 1
}

# control_plane_down DIR: ends its processes; the folder stays.
control_plane_down() {
  local file
  for file in "$1"/{kube-controller-manager,kube-apiserver*,etcd}.pid; do
    [ ! -e "$file" ] || end_pid "$(cat "$file")"
    rm -f "$file"
  done
}

# control_plane_stop|start DIR NAME [PORT]: one of the three.
control_plane_stop() {
  end_pid "$(cat "$1/$2.pid")"
  rm -f "$1/$2.pid"
}

end_pid() {
  kill "$1" 2>/dev/null || return 0
  wait_for 10 pid_gone "$1" || kill -KILL "$1" 2>/dev/null || true
}

# A zombie that nobody has waited for is gone as well.
pid_gone() { ! grep -qE '^State:\s+[^Z]' "/proc/$1/status" 2>/dev/null; }

control_plane_failed() {
  say "$2 did not come up; it said last: $(tail -n 1 "$1/$2.log" 2>/dev/null || tail -n 1 "$1/kubeadm.out")"
  control_plane_down "$1"
  return 1
}

control_plane_get() { curl -fsS --max-time 3 --cacert "$1/pki/ca.crt" "https://127.0.0.1:$2$3"; }
control_plane_signed() {
  control_plane_get "$1" "$2" /api/v1/namespaces/kube-public/configmaps/cluster-info |
    jq -e '.data | keys | any(startswith("jws-kubeconfig-"))'
}

# Certificates and kubeconfigs. kubeadm refuses a loopback address to advertise;
# nobody is told of this one.
control_plane_files() {
  local dir=$1 port=$2 name
  cat >"$dir/kubeadm.yaml" <<EOF
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 10.77.0.21, bindPort: $port}
nodeRegistration: {name: cp1, criSocket: "unix:///run/containerd/containerd.sock"}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v$(oracle_version)
clusterName: lab
controlPlaneEndpoint: 127.0.0.1:$port
certificatesDir: $dir/pki
networking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/16}
apiServer: {certSANs: [127.0.0.1, localhost${CONTROL_PLANE_SANS:+, $CONTROL_PLANE_SANS}]}
encryptionAlgorithm: ECDSA-P256
EOF
  "$ORACLES/kubeadm" init phase certs all --config "$dir/kubeadm.yaml" >"$dir/kubeadm.out" 2>&1 || control_plane_failed "$dir" kubeadm || return 1
  for name in admin super-admin controller-manager; do
    [ -e "$dir/$name.conf" ] || "$ORACLES/kubeadm" init phase kubeconfig "$name" --config "$dir/kubeadm.yaml" --kubeconfig-dir "$dir" >>"$dir/kubeadm.out" 2>&1 || return 1
    sed -i "s|server: https://.*|server: https://127.0.0.1:$port|" "$dir/$name.conf"
  done
}

# control_plane_run DIR NAME COMMAND…
control_plane_run() {
  local dir=$1 name=$2
  shift 2
  # Process 1 gets it, so that nobody has to wait for it.
  setsid -f bash -c 'echo $$ >"$1"; shift; exec "$@"' - "$dir/$name.pid" "$@" >>"$dir/$name.log" 2>&1 </dev/null
}

control_plane_etcd() {
  [ -z "$CONTROL_PLANE_ETCD" ] || return 0
  local dir=$1 pki=$1/pki client=https://127.0.0.1:$(($2 + 1)) peer=https://127.0.0.1:$(($2 + 2))
  control_plane_run "$dir" etcd etcd --name cp1 --data-dir "$dir/etcd" \
    --listen-client-urls "$client" --advertise-client-urls "$client" \
    --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "cp1=$peer" \
    --cert-file "$pki/etcd/server.crt" --key-file "$pki/etcd/server.key" --client-cert-auth --trusted-ca-file "$pki/etcd/ca.crt" \
    --peer-cert-file "$pki/etcd/peer.crt" --peer-key-file "$pki/etcd/peer.key" --peer-client-cert-auth --peer-trusted-ca-file "$pki/etcd/ca.crt"
}

# control_plane_api DIR PORT [NAME ADDRESS PORT]: with the options of kubeadm's
# manifest; another one beside the first if it has a name and a place of its own.
control_plane_api() {
  local dir=$1 pki=$1/pki name=${3:-kube-apiserver} address=${4:-127.0.0.1} port=${5:-$2}
  local etcd=${CONTROL_PLANE_ETCD:-https://127.0.0.1:$(($2 + 1))} ca=$pki/etcd/ca.crt client=$pki/apiserver-etcd-client
  [ -z "$CONTROL_PLANE_ETCD" ] || ca=$CONTROL_PLANE_ETCD_PKI/ca.crt client=$CONTROL_PLANE_ETCD_PKI/client
  control_plane_run "$dir" "$name" "$ORACLES/kube-apiserver" --bind-address="$address" --secure-port="$port" --advertise-address=10.77.0.21 \
    --allow-privileged=true --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --enable-bootstrap-token-auth=true \
    --client-ca-file="$pki/ca.crt" --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
    --etcd-servers="$etcd" --etcd-cafile="$ca" --etcd-certfile="$client.crt" --etcd-keyfile="$client.key" \
    --kubelet-client-certificate="$pki/apiserver-kubelet-client.crt" --kubelet-client-key="$pki/apiserver-kubelet-client.key" \
    --proxy-client-cert-file="$pki/front-proxy-client.crt" --proxy-client-key-file="$pki/front-proxy-client.key" \
    --requestheader-allowed-names=front-proxy-client --requestheader-client-ca-file="$pki/front-proxy-ca.crt" \
    --requestheader-extra-headers-prefix=X-Remote-Extra- --requestheader-group-headers=X-Remote-Group --requestheader-username-headers=X-Remote-User \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local --service-account-key-file="$pki/sa.pub" \
    --service-account-signing-key-file="$pki/sa.key" --service-cluster-ip-range=10.96.0.0/16
}

control_plane_manager() {
  local dir=$1 pki=$1/pki conf=$1/controller-manager.conf
  control_plane_run "$dir" kube-controller-manager "$ORACLES/kube-controller-manager" --bind-address=127.0.0.1 --secure-port="$(($2 + 3))" \
    --kubeconfig="$conf" --authentication-kubeconfig="$conf" --authorization-kubeconfig="$conf" --leader-elect=false \
    --controllers='*,bootstrapsigner,tokencleaner' --client-ca-file="$pki/ca.crt" --requestheader-client-ca-file="$pki/front-proxy-ca.crt" \
    --root-ca-file="$pki/ca.crt" --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key" \
    --service-account-private-key-file="$pki/sa.key" --use-service-account-credentials=true \
    --allocate-node-cidrs=true --cluster-cidr=10.244.0.0/16 --service-cluster-ip-range=10.96.0.0/16 --cluster-name=lab \
    "${CONTROL_PLANE_MANAGER_FLAGS[@]}"
}

# What kubeadm init puts into the API once it serves; its secrets go to files.
control_plane_publish() {
  local dir=$1 phase
  local said=$dir/.said
  for phase in "upload-config all" "bootstrap-token" "upload-certs --upload-certs"; do
    # shellcheck disable=SC2086 # words of a command line
    (umask 077 && "$ORACLES/kubeadm" init phase $phase --config "$dir/kubeadm.yaml" --kubeconfig "$dir/super-admin.conf" >>"$said") || return 1
  done
  # kubeadm init does this when it first uses admin.conf.
  "$ORACLES/kubectl" --kubeconfig "$dir/super-admin.conf" create clusterrolebinding kubeadm:cluster-admins \
    --clusterrole=cluster-admin --group=kubeadm:cluster-admins || return 1
  (umask 077 && grep -oE '[a-z0-9]{6}\.[a-z0-9]{16}' "$said" | head -1 >"$dir/token" && grep -xE '[0-9a-f]{64}' "$said" >"$dir/certificate-key")
  rm -f "$said"
}
