# shellcheck shell=bash
# The lab, for scripts that use it as well as for ha-lab itself.

# shellcheck source=scripts/lib/setup.sh
. "${BASH_SOURCE[0]%/*}/setup.sh"
BAREPLANE_BIN=${BAREPLANE_BIN:-$CARGO_TARGET_DIR/release}
export PATH=$BAREPLANE_BIN:$PATH

# shellcheck source=scripts/lib/nodes.sh
. "$ROOT/scripts/lib/nodes.sh"
# shellcheck source=scripts/lib/components.sh
. "$ROOT/scripts/lib/components.sh"
# shellcheck source=scripts/lib/guide.sh
. "$ROOT/scripts/lib/guide.sh"
# shellcheck source=scripts/lib/ours.sh
. "$ROOT/scripts/lib/ours.sh"
# shellcheck source=scripts/lib/faults.sh
. "$ROOT/scripts/lib/faults.sh"
