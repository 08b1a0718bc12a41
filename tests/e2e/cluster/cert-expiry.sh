#!/bin/bash
# cert-expiry on kubeadm's own certificates and on real servers: the dates kubeadm and openssl tell, and what they do not.
. "$(dirname "$0")/../lib.sh"
. "$ROOT/scripts/lib/oracles.sh"
. "$ROOT/scripts/lib/etcd.sh"
etcd_needs || skip "etcd is missing"
oracles || skip "the oracles are not built"
E=$WORK/etcd PKI=$WORK/kubernetes/pki
served=''
trap 'status=$?; etcd_down "$E"; [ -z "$served" ] || kill "$served"; story_end $status' EXIT

cat >"$WORK/kubeadm.yaml" <<END
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v$(oracle_version)
certificatesDir: $PKI
controlPlaneEndpoint: 10.77.0.100:6443
apiServer: {certSANs: [10.77.0.100]}
encryptionAlgorithm: ECDSA-P256
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 10.77.0.21}
nodeRegistration: {name: cp1}
END
kubeadm() { "$ORACLES/kubeadm" "$@"; }
kubeadm init phase certs all --config "$WORK/kubeadm.yaml" >/dev/null 2>&1 || fail "kubeadm makes no certificates"
kubeadm init phase kubeconfig all --kubeconfig-dir "$WORK/kubernetes" --config "$WORK/kubeadm.yaml" >/dev/null 2>&1 || fail "kubeadm makes no kubeconfigs"

# kubeadm's names of what it renews, and when each ends.
kubeadm certs check-expiration -o json --cert-dir "$PKI" --config "$WORK/kubeadm.yaml" 2>/dev/null |
  jq -r '(.certificates + .certificateAuthorities)[] | select(.missing | not) | "\(.expirationDate) \(.name)"' | sort >"$WORK/theirs"
expect 0 cert-expiry scan --platform "$ROOT/tests/fixtures/examples/platform.yaml" "$WORK/kubernetes"
jq -r --arg pki "$PKI/" 'select(.record == "certificate" and (.source | startswith($pki))) |
  "\(.not_after) \(.source | ltrimstr($pki) | rtrimstr(".crt") | gsub("/"; "-"))"' "$OUT" | sort >"$WORK/ours"
diff "$WORK/theirs" "$WORK/ours" || fail "kubeadm tells other dates"
[ "$(wc -l <"$WORK/ours")" = 10 ] || fail "these are not all: $(cat "$WORK/ours")"
proved "the ten certificates of kubeadm end when kubeadm says"

for file in "$PKI"/*.crt "$PKI"/etcd/*.crt; do
  want=$(date -u -d "$(openssl x509 -in "$file" -noout -enddate | cut -d= -f2)" +%FT%TZ)
  says "any(.[]; .source == \"$file\" and .not_after == \"$want\")"
  says "any(.[]; .source == \"$file\" and .serial == \"$(openssl x509 -in "$file" -noout -serial | cut -d= -f2 | tr A-F a-f)\")"
done
for conf in admin super-admin controller-manager scheduler kubelet; do
  pem=$(grep -o 'client-certificate-data: .*' "$WORK/kubernetes/$conf.conf" | cut -d' ' -f2 | base64 -d)
  want=$(openssl x509 -noout -fingerprint -sha256 <<<"$pem" | cut -d= -f2 | tr -d : | tr A-F a-f)
  says "any(.[]; .source == \"$WORK/kubernetes/$conf.conf\" and .sha256 == \"$want\" and (.field | startswith(\"users\")))"
done
proved "openssl reads the same dates, numbers and fingerprints, in kubeconfigs too"

year=$(date -u -d '+350 days' +%FT%TZ)
expect 1 cert-expiry scan --at "$year" "$WORK/kubernetes"
says 'map(select(.record == "finding")) | length == 12 and all(.check == "expiry" and .status == "warn")'
expect 1 cert-expiry scan --at "$(date -u -d '+360 days' +%FT%TZ)" "$WORK/kubernetes"
says 'map(select(.record == "finding")) | length == 12 and all(.status == "fail" and .severity == "high")'
expect 1 cert-expiry scan --at "$(date -u -d '+400 days' +%FT%TZ)" "$WORK/kubernetes"
says 'map(select(.record == "finding")) | length == 12 and all(.severity == "critical")'
proved "in a year seven leaves and five kubeconfigs warn, fail, are over; authorities are not"

mkdir "$WORK/mixed"
openssl x509 -in "$PKI/apiserver.crt" -outform der -out "$WORK/mixed/apiserver.cer"
openssl req -new -key "$PKI/apiserver.key" -subj /CN=x -out "$WORK/mixed/request.pem"
openssl ecparam -name prime256v1 -out "$WORK/mixed/parameters.pem"
cp "$PKI/sa.key" "$WORK/mixed/key.pem"
expect 0 cert-expiry scan "$WORK/mixed"
says 'length == 1 and (.[0].source | endswith("apiserver.cer"))'
expect 2 cert-expiry scan "$WORK/mixed/key.pem"
proved "DER is read; keys, requests and parameters are passed over in a folder, and refused by name"

cp "$PKI/etcd/peer.key" "$PKI/etcd/server.key"
expect 1 cert-expiry scan "$PKI"
says 'map(select(.record == "finding")) | length == 1 and .[0].check == "key-mismatch" and (.[0].target | endswith("etcd/server.crt"))'
proved "a key of another certificate is found"

# The kubelet's: a link, and what it led to before.
mkdir "$WORK/kubelet"
cp "$PKI/apiserver-kubelet-client.crt" "$WORK/kubelet/kubelet-client-2025-11-26-00-00-00.pem"
cat "$PKI/apiserver-kubelet-client".{crt,key} >"$WORK/kubelet/kubelet-client-2026-11-26-00-00-00.pem"
ln -s kubelet-client-2026-11-26-00-00-00.pem "$WORK/kubelet/kubelet-client-current.pem"
expect 0 cert-expiry scan "$WORK/kubelet"
says 'length == 1 and (.[0].source | endswith("-current.pem")) and (.[0].leads_to | endswith("2026-11-26-00-00-00.pem"))'
proved "of the kubelet's files the current one counts"

etcd_up "$E" 25700 1 --unsafe-no-fsync || fail "etcd does not come up"
etcd=127.0.0.1:25710
expect 0 cert-expiry scan --warn 1d --crit 1h --file "$E/pki/server.crt" "$etcd" 127.0.0.1:25711 "$E/pki/ca.crt"
says 'map(select(.record == "certificate" and .subject == "CN=server")) | length == 2'
proved "etcd turns away who shows no certificate, and its own is seen all the same"
expect 1 cert-expiry scan "$etcd"
says 'any(.[]; .check == "expiry" and .status == "fail")'

# Renewed on disk, not restarted; then restarted.
sleep 1.1
etcd_certificate "$E/pki" server "subjectAltName=IP:127.0.0.1"$'\nextendedKeyUsage=serverAuth,clientAuth'
shows() { cert-expiry scan --warn 1d --crit 1h --file "$E/pki/server.crt" "$etcd" >"$OUT" 2>"$ERR"; }
# etcd itself reads its files again at every handshake.
within 10 shows
openssl s_server -accept 127.0.0.1:25720 -cert "$E/pki/server.crt" -key "$E/pki/server.key" -quiet >/dev/null 2>&1 </dev/zero &
served=$!
answers() { cert-expiry scan --warn 1d --crit 1h 127.0.0.1:25720 >"$OUT" 2>"$ERR"; }
within 10 answers
sleep 1.1
etcd_certificate "$E/pki" server "subjectAltName=IP:127.0.0.1"
expect 1 cert-expiry scan --warn 1d --crit 1h --file "$E/pki/server.crt" 127.0.0.1:25720
says 'map(select(.record == "finding")) | length == 1 and .[0].check == "stale"'
proved "renewed, not restarted: openssl's server still shows the old one; etcd read the new one by itself"

expect 1 cert-expiry scan --timeout 2s --warn 1d --crit 1h "$etcd" 127.0.0.1:1
says 'any(.[]; .check == "unreachable" and .status == "unknown" and .target == "127.0.0.1:1")'
kill -STOP "$(cat "$E/m1.pid")"
started=$SECONDS
expect 3 cert-expiry scan --timeout 2s "$etcd"
[ $((SECONDS - started)) -le 4 ] || fail "it took $((SECONDS - started)) s"
kill -CONT "$(cat "$E/m1.pid")"
proved "a server that is silent costs the time it was given, and is no yes"
