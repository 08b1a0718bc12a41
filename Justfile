# What people type. `just` alone lists it.

export CARGO_TARGET_DIR := env("CARGO_TARGET_DIR", env("XDG_CACHE_HOME", env("HOME") / ".cache") / "bareplane/target")
prefix := env("PREFIX", "/usr/local")
version := `sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1`

[private]
default:
    @just --list --unsorted

# Stream a shop's databases into a lake, break a load-balanced API, make a cluster (root)
demo:
    scripts/demo

# Run every test, or those of the named areas; installs what is missing
test *areas:
    scripts/test {{areas}}

# What a commit needs: format, lints, floors, drift
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo xtask floors
    cargo xtask man --check
    cargo xtask schemas --check
    cargo xtask readme --check

# Write man pages, schemas and the README's table from the code
man:
    cargo build --workspace
    cargo xtask schemas
    cargo build --workspace
    cargo xtask man
    cargo xtask readme

# A new command that passes: just new cluster disk-check
new area tool:
    cargo xtask new {{area}} {{tool}}
    just man

# Every benchmark
bench: bench-ha bench-cluster bench-stream

# The bars of load balancing, ours and the guide's side by side (root)
bench-ha *args:
    tests/bench/ha {{args}}

# The bars of the cluster, beside ssh, Ansible and etcdctl (root)
bench-cluster *args:
    tests/bench/cluster {{args}}

# The bars of streaming, beside DuckDB, Spark, kcat, psql, jq and Miller
bench-stream *args:
    tests/bench/stream {{args}}

# The bars of record-clean, beside jq and Miller
bench-stream-clean *args:
    tests/bench/stream-clean {{args}}

# The bars of db-extract, beside the databases' own clients (root)
bench-stream-extract *args:
    tests/bench/stream-extract {{args}}

# lake-sink beside DuckDB
bench-stream-lake *args:
    tests/bench/stream-lake {{args}}

# warehouse-load and nosql-put beside psql and redis-cli
bench-partners *args:
    tests/bench/partners {{args}}

# Every round of the stories that kill at random, a hundred instead of ten, and ten minutes at full CPU load without a failover (root)
soak *areas:
    SOAK=1 tests/e2e/run {{areas}}
    tests/bench/ha --only soak

# Feed the parsers what nobody wrote, a while each (needs cargo-fuzz and a nightly)
fuzz seconds="60":
    #!/usr/bin/env bash
    set -euo pipefail
    cd tests/fuzz
    for target in $(cargo +nightly fuzz list); do
        cargo +nightly fuzz run "$target" -- -max_total_time={{seconds}}
    done

# A tar file with commands, man pages, completions and schemas
dist:
    #!/usr/bin/env bash
    set -euo pipefail
    stage=$(mktemp -d)
    trap 'rm -rf "$stage"' EXIT
    PREFIX=/ DESTDIR=$stage/bareplane-{{version}} just install
    cp -r LICENSE README.md CHANGELOG.md schemas "$stage/bareplane-{{version}}/"
    tar -C "$stage" -czf "$CARGO_TARGET_DIR/bareplane-{{version}}.tar.gz" "bareplane-{{version}}"
    echo "$CARGO_TARGET_DIR/bareplane-{{version}}.tar.gz"

# Build for release; copy commands, man pages and completions below PREFIX
install:
    #!/usr/bin/env bash
    set -euo pipefail
    . scripts/lib/setup.sh
    build_release
    root=${DESTDIR:-}{{prefix}}
    install -d "$root"/bin "$root"/share/man/man{1,5,7}
    install -d "$root"/share/bash-completion/completions "$root"/share/zsh/site-functions "$root"/share/fish/vendor_completions.d
    for manifest in tools/*/*/Cargo.toml; do
        tool=$(basename "$(dirname "$manifest")")
        built=$CARGO_TARGET_DIR/release/$tool
        install -m 0755 "$built" "$root/bin/$tool"
        "$built" --generate bash >"$root/share/bash-completion/completions/$tool"
        "$built" --generate zsh >"$root/share/zsh/site-functions/_$tool"
        "$built" --generate fish >"$root/share/fish/vendor_completions.d/$tool.fish"
    done
    for page in man/*.[157]; do
        install -m 0644 "$page" "$root/share/man/man${page##*.}/"
    done
