# shellcheck shell=bash
# Nodes: each is a network, mount, process and host name namespace, so that a
# daemon in it finds its own /etc, /run and /var/lib, and our commands in
# /usr/bin, and sees no other node's processes. Process 1 of a node is a
# shell that reaps; ending it ends the node. The switch is a bridge in a
# namespace of its own, so nothing appears in the machine's.

LAB=${LAB:-bplab}
[[ $LAB =~ ^[a-z][a-z0-9]{0,9}$ ]] || die 2 "LAB=$LAB: a name of lower-case letters and digits, at most ten"
STATE=${TMPDIR:-/tmp}/bareplane-$LAB
NET4=10.77.0
NET6=fd77::
VIP4=$NET4.100
VIP6=${NET6}100
declare -A HOST=([lb1]=11 [lb2]=12 [cp1]=21 [cp2]=22 [cp3]=23 [cl]=50)
NODES=(lb1 lb2 cp1 cp2 cp3 cl)

node_pid() {
  local file=$STATE/$1/pid
  [ -r "$file" ] || die 2 "no node $1 in lab $LAB: \`ha-lab up\` first"
  cat "$file"
}

# on NODE COMMAND…: runs it there, as if logged in.
on() {
  local pid
  pid=$(node_pid "$1") || return
  shift
  nsenter -t "$pid" -m -n -p -u -- "$@"
}

# Starts a command that stays, with its output in the node's log.
daemon() {
  local node=$1 name=$2
  shift 2
  on "$node" setsid -f "$@" >>"$STATE/$node/$name.log" 2>&1 </dev/null
}

# Process 1 of a node. Overlays on a file system in memory give it its own
# /etc and /var/lib; the machine's stay untouched.
node_init() {
  local lower
  mount -t tmpfs -o mode=0755,size=256m node /run
  for lower in /etc /var/lib; do
    mkdir -p "/run/.node$lower"/{upper,work}
    mount -t overlay -o "lowerdir=$lower,upperdir=/run/.node$lower/upper,workdir=/run/.node$lower/work" overlay "$lower"
  done
  # The built commands, as if installed.
  mount -t overlay -o "lowerdir=$STATE/bin:/usr/bin" overlay /usr/bin
  hostname "$1"
  touch /run/.node/ready
  while :; do
    sleep 86400 &
    wait $! || true
  done
}

node_up() {
  local node=$1 ns=$LAB-$1 dir=$STATE/$1 parent child
  mkdir -p "$dir"
  ip netns add "$ns"
  ip -n "$LAB-sw" link add "p-$node" type veth peer name eth0 netns "$ns"
  ip -n "$LAB-sw" link set "p-$node" master br0 up
  ip -n "$ns" link set lo up
  ip -n "$ns" link set eth0 up
  ip -n "$ns" addr add "$NET4.${HOST[$node]}/24" dev eth0
  ip -n "$ns" addr add "$NET6${HOST[$node]}/64" dev eth0 nodad
  setsid ip netns exec "$ns" unshare --mount --pid --uts --fork --mount-proc --kill-child \
    "$BASH" "$0" node-init "$node" >>"$dir/node.log" 2>&1 </dev/null &
  parent=$!
  wait_for 5 grep -q . "/proc/$parent/task/$parent/children" || die 3 "node $node did not start: $(tail -1 "$dir/node.log")"
  read -r child < <(cat "/proc/$parent/task/$parent/children" && echo)
  echo "$child" >"$dir/pid"
  wait_for 5 test -e "/proc/$child/root/run/.node/ready" || die 3 "node $node did not start: $(tail -1 "$dir/node.log")"
}

# The built commands, out of the way of the next build.
tools_up() {
  mkdir "$STATE/bin"
  find "$BAREPLANE_BIN" -maxdepth 1 -type f -executable -exec cp -lt "$STATE/bin" {} + 2>/dev/null ||
    find "$BAREPLANE_BIN" -maxdepth 1 -type f -executable -exec cp -t "$STATE/bin" {} +
}

nodes_up() {
  ip netns add "$LAB-sw"
  ip -n "$LAB-sw" link add br0 type bridge
  ip -n "$LAB-sw" link set br0 up
  local node
  for node in "${NODES[@]}"; do node_up "$node"; done
}

lab_namespaces() { ip netns list | awk -v lab="$LAB-" 'index($1, lab) == 1 { print $1 }'; }

# Ends what runs in this lab's namespaces, by process id, and takes them away.
nodes_down() {
  local ns pids
  for ns in $(lab_namespaces); do
    pids=$(ip netns pids "$ns")
    # shellcheck disable=SC2086 # one word a process
    [ -z "$pids" ] || kill -KILL $pids 2>/dev/null || true
    ip netns del "$ns"
  done
}

# The folder of the lab's state; nobody else may have made it.
state_up() {
  [ ! -e "$STATE" ] || die 1 "lab $LAB is there already ($STATE): \`ha-lab down\` takes it away"
  mkdir -m 0700 "$STATE"
}
