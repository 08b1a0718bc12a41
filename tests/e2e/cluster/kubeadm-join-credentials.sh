#!/bin/bash
# Tokens, pins and cluster-info against a real control plane and the real kubeadm.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
# shellcheck source=scripts/lib/controlplane.sh
. "$ROOT/scripts/lib/controlplane.sh"
if [ -z "${IN_NAMESPACE:-}" ]; then
  can_namespace || skip "network namespaces need root"
  oracles || skip "the oracles are not built"
  need etcd=etcd-server curl=curl openssl=openssl || skip "etcd or curl is missing"
  rm -rf "$WORK"
  IN_NAMESPACE=1 exec unshare --net "$BASH" "$0"
fi
PATH=$BAREPLANE_BIN:$PATH
D=$WORK/plane PORT=26443
trap 'status=$?; control_plane_down "$D"; story_end $status' EXIT
ip link set lo up
control_plane_up "$D" $PORT || fail "the control plane does not come up"
kubectl() { "$ORACLES/kubectl" --kubeconfig "$D/admin.conf" "$@"; }
verify() { kubeadm-join verify-cluster-info --credentials "$1" --timeout 5s; }

pin=sha256:$(openssl x509 -in "$D/pki/ca.crt" -pubkey -noout | openssl pkey -pubin -outform der | sha256sum | cut -c1-64)
[ "$(kubeadm-join ca-hash "$D/pki/ca.crt")" = "$pin" ] || fail "another hash than openssl's"
[ "$(kubeadm-join ca-hash "$D/admin.conf")" = "$pin" ] || fail "another hash from the kubeconfig"
proved "the hash of an ECDSA authority is openssl's, from the certificate and from a kubeconfig"

expect 0 kubeadm-join mint-token --endpoint "127.0.0.1:$PORT" --ca "$D/pki/ca.crt" --secret "$WORK/secret.yaml" --out "$WORK/minted.json" --ttl 1h
[ "$(stat -c %a "$WORK/secret.yaml" "$WORK/minted.json" | xargs)" = "600 600" ] || fail "others may read the secrets"
secret=$(jq -r .token "$WORK/minted.json" | cut -d. -f2)
! grep -q "$secret" "$OUT" "$ERR" || fail "the secret was printed"
expect 1 verify "$WORK/minted.json"
says '.[0].why | contains("no signature of token")'
proved "a token the cluster does not know yet: cluster-info is not signed with it"
kubectl apply -f "$WORK/secret.yaml" >/dev/null
signed() { verify "$WORK/minted.json" >/dev/null 2>&1; }
within 30 signed
[ "$("$ORACLES/kubeadm" token list --kubeconfig "$D/admin.conf" -o json | jq -s "any(.token == \"$(jq -r .token "$WORK/minted.json")\")")" = true ] || fail "kubeadm does not list the token"
proved "once its Secret is applied, the controller signs with it, and kubeadm lists it"

"$ORACLES/kubeadm" token create --print-join-command --kubeconfig "$D/admin.conf" >"$WORK/printed" 2>/dev/null
expect 0 kubeadm-join parse --out "$WORK/parsed.json" "$WORK/printed"
says ".[0].ca_cert_hash == \"$pin\" and .[0].endpoint == \"127.0.0.1:$PORT\""
parsed() { verify "$WORK/parsed.json" >/dev/null 2>&1; }
within 30 parsed
proved "what kubeadm prints becomes credentials that hold"

jq '.token = (.token[0:7] + "0000000000000000")' "$WORK/parsed.json" >"$WORK/wrong.json"
expect 1 verify "$WORK/wrong.json"
says '.[0].why | contains("another secret")'
jq ".ca_cert_hash = \"sha256:$(printf '1%.0s' {1..64})\"" "$WORK/parsed.json" >"$WORK/other.json"
expect 1 verify "$WORK/other.json"
says '.[0].why | contains("CA is")'
proved "another secret, and another authority, are told apart"

id=$(jq -r .token "$WORK/parsed.json" | cut -d. -f1)
"$ORACLES/kubeadm" token delete "$id" --kubeconfig "$D/admin.conf" >/dev/null 2>&1
unsigned() { ! verify "$WORK/parsed.json" >/dev/null 2>&1; }
within 30 unsigned
expect 1 verify "$WORK/parsed.json"
proved "a token that was deleted lets nobody in"

control_plane_stop "$D" kube-apiserver
expect 3 verify "$WORK/minted.json"
proved "nobody answers: status 3"
