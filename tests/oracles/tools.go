//go:build tools

// Package oracles pins what the tests ask whether our documents are good:
// kubeadm, kubectl, etcd, the servers of a control plane. Built by
// scripts/lib/oracles.sh outside the checkout; nothing that is shipped needs them.
package oracles

import (
	_ "go.etcd.io/etcd/server/v3"
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kube-scheduler"
	_ "k8s.io/kubernetes/cmd/kubeadm"
	_ "k8s.io/kubernetes/cmd/kubectl"
)
