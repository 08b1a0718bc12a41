# shellcheck shell=bash
# Hosts: bare Debian machines with their own systemd and sshd, from systemd-nspawn,
# one for each host of a platform document. Each has a network namespace; the
# switch is a bridge in a namespace of its own, so nothing appears on the
# machine's network. The root tree is built once into a cache; a host writes
# into an overlay of its own, which a reboot keeps.

LAB=${LAB:-bphosts}
[[ $LAB =~ ^[a-z][a-z0-9]{0,9}$ ]] || die 2 "LAB=$LAB: a name of lower-case letters and digits, at most ten"
STATE=${TMPDIR:-/tmp}/bareplane-$LAB
PLATFORM=$STATE/platform.yaml
ROOTS=${XDG_CACHE_HOME:-$HOME/.cache}/bareplane/hosts-lab
# What an installer and the package repositories would have brought; no host has a way out.
HOST_PACKAGES=systemd,systemd-sysv,dbus,kmod,procps,iproute2,iputils-ping,netbase,ca-certificates,openssh-server,python3,curl,jq,nftables,iptables,conntrack,socat,ethtool,containerd,runc,haproxy,keepalived,etcd-server,etcd-client

need_hosts() {
  need systemd-nspawn=systemd-container debootstrap=debootstrap ip=iproute2 nsenter=util-linux ssh=openssh-client ssh-keygen=openssh-client jq=jq curl=curl
}

# The tree below all hosts.
root_tree() { echo "$ROOTS/root-$(echo "$HOST_PACKAGES 1" | sha256sum | cut -c1-12)"; }

build_root() {
  local tree building unit
  tree=$(root_tree)
  [ ! -d "$tree" ] || return 0
  say "building the hosts' root tree, once, into $tree (minutes)"
  mkdir -p "$ROOTS"
  building=$(mktemp -d "$ROOTS/building.XXXXXX")
  debootstrap --variant=minbase --include="$HOST_PACKAGES" bookworm "$building" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$building.log" 2>&1 ||
    die 3 "debootstrap failed: $(tail -n 1 "$building.log")"
  rm -rf "$building"/var/cache/apt/archives/*.deb "$building"/var/lib/apt/lists/* "$building"/etc/ssh/ssh_host_* "$building/etc/machine-id"
  # A host enables what its roles need. Nobody reaches these timers' servers.
  for unit in haproxy keepalived etcd containerd apt-daily.timer apt-daily-upgrade.timer systemd-networkd; do
    systemctl --quiet --root="$building" disable "$unit" 2>/dev/null || true
  done
  # These would set the kernel of the machine below, which is not a host's to set.
  rm -f "$building/usr/lib/sysctl.d/50-pid-max.conf"
  rm -f "$building.log"
  chmod 0755 "$building"
  mv "$building" "$tree"
}

# host_field NAME FILTER: of a host's record.
host_field() { jq -r --arg name "$1" "select(.name == \$name) | $2" "$STATE/hosts.ndjson"; }
host_names() { jq -r .name "$STATE/hosts.ndjson"; }
host_index() { host_names | grep -nx "$1" | cut -d: -f1; }
is_host() { [ -d "$STATE/$1/up" ] || die 2 "no host $1 in lab $LAB: $(host_names 2>/dev/null | xargs)"; }

hosts_up() {
  local name
  ip netns add "$LAB-sw"
  ip -n "$LAB-sw" link add br0 type bridge
  ip -n "$LAB-sw" link set br0 up
  ip -n "$LAB-sw" link set lo up
  ip -n "$LAB-sw" addr add "$(client_address)" dev br0
  ssh-keygen -q -t ed25519 -N '' -C "$LAB" -f "$STATE/id"
  # An overlay cannot lie on an overlay, as in many containers.
  mkdir -p "$STATE/disks" "$ORACLES" "$BAREPLANE_BIN"
  [ "$(stat -f -c %T "$STATE")" != overlayfs ] || mount -t tmpfs -o mode=0700 "$LAB" "$STATE/disks"
  for name in $(host_names); do host_disk "$name"; done
  ssh_config >"$STATE/ssh_config"
  for name in $(host_names); do host_on "$name"; done
  for name in $(host_names); do wait_for 60 host_booted "$name" || die 3 "host $name did not boot: $(tail -n 1 "$STATE/$name/console")"; done
}

# The client sits on the last address of the first node network.
client_address() {
  python3 -c 'import ipaddress, sys; n = ipaddress.ip_network(sys.argv[1]); print(f"{n[-2]}/{n.prefixlen}")' "$(inventory get 'network.node_cidrs[0]' "$PLATFORM")"
}

# A bare machine as an installer leaves it: somebody's host name, swap in fstab.
host_disk() {
  local name=$1 disk=$STATE/disks/$1 root
  mkdir -p "$STATE/$name" "$disk"/{up,work,root}
  ln -s "$disk/up" "$STATE/$name/up"
  mount -t overlay -o "lowerdir=$(root_tree),upperdir=$disk/up,workdir=$disk/work" "$LAB-$name" "$disk/root"
  root=$disk/root
  echo debian >"$root/etc/hostname"
  # Without one it would be a first boot, which enables every service there is.
  tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
  printf '127.0.0.1\tlocalhost\n127.0.1.1\tdebian\n::1\tlocalhost ip6-localhost ip6-loopback\n' >"$root/etc/hosts"
  printf '# <file system>\t<mount point>\t<type>\t<options>\t<dump>\t<pass>\n/swap.img\tnone\tswap\tsw\t0\t0\n' >"$root/etc/fstab"
  install -d -m 0700 "$root/root/.ssh"
  install -m 0600 "$STATE/id.pub" "$root/root/.ssh/authorized_keys"
  ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$root/etc/ssh/ssh_host_ed25519_key"
  host_field "$name" '.ip + " " + .name' | while read -r ip alias; do
    printf '%s,%s %s\n' "$alias" "$ip" "$(cut -d' ' -f1,2 "$root/etc/ssh/ssh_host_ed25519_key.pub")"
  done >>"$STATE/known_hosts"
  if host_has "$name" lb; then
    systemctl --quiet --root="$root" enable haproxy keepalived 2>/dev/null
  else
    systemctl --quiet --root="$root" enable containerd 2>/dev/null
    [ "${KUBERNETES:-}" != yes ] || host_kubernetes "$name"
  fi
}

# host_kubernetes NAME: what the packages kubeadm, kubectl and kubelet install,
# with the oracles and a stand-in.
host_kubernetes() {
  local root=$STATE/disks/$1/root name
  for name in kubeadm kubectl; do ln -sf "/opt/kubernetes/$name" "$root/usr/bin/$name"; done
  install -m 0755 "$ROOT/scripts/lib/kubelet-stand-in" "$root/usr/bin/kubelet"
  cat >"$root/usr/lib/systemd/system/kubelet.service" <<EOF
[Unit]
Description=Stand-in for kubelet
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=1

[Install]
WantedBy=multi-user.target
EOF
  systemctl --quiet --root="$root" enable kubelet 2>/dev/null
}

host_has() { [ "$(host_field "$1" ".roles | index(\"$2\") != null")" = true ]; }

ssh_config() {
  local name
  for name in $(host_names); do
    printf 'Host %s\n  HostName %s\n\n' "$name" "$(host_field "$name" .ip)"
  done
  cat <<EOF
Host *
  User root
  IdentityFile $STATE/id
  IdentitiesOnly yes
  UserKnownHostsFile $STATE/known_hosts
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  LogLevel ERROR
EOF
}

# host_on NAME: power. Its supervisor starts it again when it reboots.
host_on() {
  is_host "$1"
  ! host_runs "$1" || return 0
  setsid -f "$BASH" "$0" host-run "$1" >>"$STATE/$1/console" 2>&1 </dev/null
  wait_for 5 test -e "$STATE/$1/supervisor"
}

# What host_on leaves running. A machine that reboots loses its addresses, so
# each boot has a network namespace of its own.
host_run() {
  local name=$1 status=133 place=$STATE/$1
  echo $$ >"$place/supervisor"
  trap 'rm -f "$place/supervisor"' EXIT
  host_cgroups "$name"
  # The status with which systemd-nspawn says that the machine wants to boot again.
  while [ "$status" = 133 ]; do
    host_network "$name"
    status=0
    SYSTEMD_NSPAWN_API_VFS_WRITABLE=network systemd-nspawn --quiet --register=no --keep-unit --directory="$STATE/disks/$name/root" \
      --network-namespace-path="/run/netns/$LAB-$name" --hostname=debian --capability=all --kill-signal=SIGRTMIN+3 --resolv-conf=off --timezone=off \
      --bind-ro="$ORACLES:/opt/kubernetes" --bind-ro="$BAREPLANE_BIN:/opt/bareplane" --boot || status=$?
    ip netns del "$LAB-$name" 2>/dev/null || true
  done
}

# Control groups of its own: with --keep-unit, systemd-nspawn makes a host's
# below the caller's, and two hosts with one tree end each other's services.
host_cgroups() {
  local root
  for root in /sys/fs/cgroup{/systemd,/unified,}; do
    [ -e "$root/cgroup.procs" ] || continue
    mkdir -p "$root/$LAB/$1"
    echo $$ >"$root/$LAB/$1/cgroup.procs"
  done
}

cgroups_down() {
  local root
  for root in /sys/fs/cgroup{/systemd,/unified,}; do
    [ ! -d "$root/$LAB" ] || wait_for 5 find "$root/$LAB" -depth -type d -exec rmdir {} + || true
  done
}

# The addresses stay the same, so that nobody's ARP entry is wrong after a boot.
host_network() {
  local name=$1 ns=$LAB-$1 index ip ip6 prefix interface
  index=$(host_index "$name")
  ip=$(host_field "$name" .ip) ip6=$(host_field "$name" '.ip6 // empty')
  prefix=$(client_address | cut -d/ -f2)
  interface=$(host_field "$name" '.interface // "eth0"')
  ip netns del "$ns" 2>/dev/null || true
  ip netns add "$ns"
  # A namespace that was deleted keeps its devices for a while.
  ip -n "$LAB-sw" link del "p$index" 2>/dev/null || true
  ip -n "$LAB-sw" link add "p$index" type veth peer name "$interface" address "02:00:00:00:00:$(printf %02x "$index")" netns "$ns"
  ip -n "$LAB-sw" link set "p$index" master br0 up
  ip -n "$ns" link set lo up
  ip -n "$ns" link set "$interface" up
  ip -n "$ns" addr add "$ip/$prefix" dev "$interface"
  [ -z "$ip6" ] || ip -n "$ns" addr add "$ip6/64" dev "$interface" nodad
}

# Process 1 of a host, as the machine numbers it.
host_pid() {
  local pid
  for pid in $(ip netns pids "$LAB-$1" 2>/dev/null); do
    [ "$(awk '/^NSpid:/ { print $NF }' "/proc/$pid/status" 2>/dev/null)" != 1 ] || { echo "$pid" && return; }
  done
  return 1
}

host_runs() { [ -e "$STATE/$1/supervisor" ] && kill -0 "$(cat "$STATE/$1/supervisor")" 2>/dev/null; }
host_stopped() { ! host_runs "$1"; }
host_booted() { [[ $(on "$1" systemctl is-system-running 2>/dev/null) =~ ^(running|degraded)$ ]] && host_answers "$1"; }
host_answers() { client ssh -F "$STATE/ssh_config" -o BatchMode=yes -o ConnectTimeout=2 "$1" true; }
boot_id() { on "$1" sh -c 'stat -c %Y /proc/1; cat /run/machine-id 2>/dev/null' 2>/dev/null | xargs; }

# on HOST COMMAND…: runs it there, without a network.
on() {
  local pid
  pid=$(host_pid "$1") || return 1
  shift
  nsenter -t "$pid" -a -- "$@"
}

# client COMMAND…: runs a command of this machine on the hosts' network.
client() { nsenter --net="/run/netns/$LAB-sw" -- "$@"; }

host_off() {
  host_runs "$1" || return 0
  on "$1" systemctl poweroff >/dev/null 2>&1 || true
  wait_for 30 host_stopped "$1" || host_kill "$1"
}

# A power cut.
host_kill() {
  local pid
  [ ! -e "$STATE/$1/supervisor" ] || kill -KILL "$(cat "$STATE/$1/supervisor")" 2>/dev/null || true
  for pid in $(ip netns pids "$LAB-$1" 2>/dev/null); do kill -KILL "$pid" 2>/dev/null || true; done
  rm -f "$STATE/$1/supervisor"
  ip netns del "$LAB-$1" 2>/dev/null || true
}

host_reboot() {
  local pid
  is_host "$1"
  pid=$(host_pid "$1") || die 3 "host $1 does not run"
  on "$1" systemctl reboot >/dev/null 2>&1 || true
  wait_for 60 test ! -d "/proc/$pid" || die 3 "host $1 did not go down in 60 s"
  wait_for 60 host_booted "$1" || die 3 "host $1 did not boot: $(tail -n 1 "$STATE/$1/console")"
}

hosts_down() {
  local name ns
  if [ -r "$STATE/hosts.ndjson" ]; then
    for name in $(host_names); do host_kill "$name"; done
  fi
  # Whoever still uses the network of the switch: clients.
  for ns in $(ip netns list | awk -v lab="$LAB-" 'index($1, lab) == 1 { print $1 }'); do
    ip netns pids "$ns" | xargs -r kill -KILL 2>/dev/null || true
    ip netns del "$ns"
  done
  for name in "$STATE"/disks/*/root; do
    [ ! -d "$name" ] || umount -l "$name" 2>/dev/null || true
  done
  ! mountpoint -q "$STATE/disks" || umount -l "$STATE/disks"
  cgroups_down
  rm -rf "$STATE"
}
