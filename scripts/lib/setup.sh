# shellcheck shell=bash
# What the scripts need on a Debian machine, brought if it is missing.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=scripts/lib/say.sh
. "$ROOT/scripts/lib/say.sh"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/bareplane/target}
export PATH=$PATH:/usr/sbin:/sbin

is_root() { [ "$(id -u)" = 0 ]; }

# need COMMAND=PACKAGE…: installs the packages of the commands that are missing.
# Answers no if it cannot.
need() {
  local pair missing=()
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  apt_install "${missing[@]}"
}

apt_install() {
  if ! is_root; then
    say "missing: $*; as root I would run: apt-get install -y $*"
    return 1
  fi
  if ! command -v apt-get >/dev/null; then
    say "missing: $*; without apt-get I cannot install them"
    return 1
  fi
  say "installing $*"
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"; } >&2 || {
    say "apt-get could not install $*"
    return 1
  }
}

need_cargo() {
  command -v cargo >/dev/null || [ ! -x "$HOME/.cargo/bin/cargo" ] || PATH=$HOME/.cargo/bin:$PATH
  command -v cargo >/dev/null || die 3 "cargo is missing; this brings it: curl --proto '=https' -sSf https://sh.rustup.rs | sh -s -- -y"
  # ring compiles C and assembler.
  need cc=build-essential || die 3 "a C compiler is missing"
  # librdkafka is built with the system's OpenSSL.
  { need pkg-config=pkg-config && { pkg-config --exists openssl || apt_install libssl-dev; }; } ||
    die 3 "OpenSSL's headers are missing"
}

# The commands as they are shipped. ha-vipcheck, which keepalived starts every
# second, has a profile of its own that makes it smaller.
build_release() (
  cd "$ROOT" &&
    cargo build --release --workspace --exclude xtask --exclude bareplane-tests &&
    cargo build --profile small --package ha-vipcheck &&
    install -m 755 "$CARGO_TARGET_DIR/small/ha-vipcheck" "$CARGO_TARGET_DIR/release/ha-vipcheck"
)

# What the lab is made of.
need_lab() {
  need haproxy=haproxy keepalived=keepalived ip=iproute2 nsenter=util-linux openssl=openssl jq=jq curl=curl socat=socat sysctl=procps
}

# Whether this process may make network namespaces.
can_namespace() {
  local name=bpprobe$$
  is_root && ip netns add "$name" 2>/dev/null && ip netns del "$name"
}
