//go:build tools

// Package oracles pins the containerd that tests ask what it makes of a
// configuration. A module of its own: what it needs does not go with
// Kubernetes's. Built by scripts/lib/oracles.sh outside the checkout.
package oracles

import _ "github.com/containerd/containerd/v2/cmd/containerd"
