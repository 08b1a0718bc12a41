//go:build tools

// Package oracles pins what the tests ask whether our documents are good:
// kubeadm, an API server, a controller manager. Built by scripts/lib/oracles.sh
// outside the checkout; nothing that is shipped needs them.
package oracles

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kubeadm"
	_ "k8s.io/kubernetes/cmd/kubectl"
)
