//! What a keepalived.conf in front of haproxy gets wrong: want, why, fix, source.

use model::Severity::{Critical, High, Low, Medium};

use crate::lint::rule::{Rule, fail, warn};

pub(super) const WEIGHT_NOPREEMPT: Rule = fail(
    "weight-nopreempt",
    Critical,
    [
        "weight 0",
        "with nopreempt a lowered priority moves nothing: the address stays where haproxy is dead",
        "take the weight away: a failed check then faults the instance at once",
        "acassen/keepalived#2599",
    ],
);
pub(super) const WEIGHT_SLOW: Rule = warn(
    "weight-slow",
    Medium,
    [
        "weight 0",
        "a holder that only lowers its priority never says that it stops: the backup waits three adverts and its skew on top",
        "take the weight away: a failed check then sends priority 0",
        "RFC 5798 section 6.4.3",
    ],
);
pub(super) const DETECTION_SLOW: Rule = fail(
    "detection-slow",
    High,
    [
        "3 s at most: interval 1, fall 2",
        "a dead haproxy keeps the address for fall x interval, and everything behind it is down for as long",
        "set `interval 1` and `fall 2`, or follow a track_file written by `ha-vipcheck --watch`",
        "keepalived.conf(5), vrrp_script",
    ],
);
pub(super) const INTERVAL_FRACTION: Rule = fail(
    "interval-fraction",
    High,
    [
        "whole seconds",
        "keepalived ignores a fraction and takes its default",
        "use whole seconds; below one second only a track_file helps",
        "keepalived.conf(5), vrrp_script",
    ],
);
pub(super) const SCRIPT_TIMEOUT: Rule = warn(
    "script-timeout",
    Medium,
    [
        "timeout <= interval",
        "a script that hangs delays every later verdict, and flaps between timed out and succeeded",
        "set `timeout` no longer than `interval`, and a shorter deadline in the script itself",
        "acassen/keepalived#535",
    ],
);
pub(super) const INIT_FAIL: Rule = warn(
    "init-fail",
    Medium,
    [
        "init_fail",
        "a node that has just started counts as healthy, and may take the address, before its first check",
        "add `init_fail`",
        "lablabs/ansible-role-rke2#60",
    ],
);
pub(super) const SCRIPT_SECURITY: Rule = warn(
    "script-security",
    Medium,
    [
        "enable_script_security and script_user",
        "scripts run as root even where others can write them, and `keepalived -t` answers 6 whatever else is wrong",
        "add `enable_script_security` and `script_user root` to global_defs",
        "keepalived.conf(5), enable_script_security",
    ],
);
pub(super) const AUTHENTICATION: Rule = warn(
    "authentication",
    Low,
    [
        "no authentication block",
        "the password travels in clear text in version 2 and does not exist in version 3: it protects nothing, and a typing error makes two masters",
        "remove it; use unicast_peer and a firewall",
        "RFC 5798 section 9",
    ],
);
pub(super) const MULTICAST: Rule = warn(
    "multicast",
    Medium,
    [
        "unicast_src_ip and unicast_peer",
        "a switch that filters multicast makes every node a master, and anyone on the segment with this virtual_router_id joins in",
        "name the peers in `unicast_peer`",
        "acassen/keepalived#2649",
    ],
);
pub(super) const ADVERT_SLOW: Rule = warn(
    "advert-slow",
    High,
    [
        "0.1 to 0.3",
        "a node that falls silent is missed for three to four adverts",
        "set `vrrp_version 3` and `advert_int 0.1`",
        "RFC 5798 section 6.1",
    ],
);
pub(super) const ADVERT_FRACTION: Rule = fail(
    "advert-fraction",
    High,
    [
        "vrrp_version 3",
        "version 2 knows whole seconds only: keepalived rounds, and two nodes that round differently both become master",
        "set `vrrp_version 3`",
        "acassen/keepalived#1615",
    ],
);
pub(super) const VERSION_2: Rule = warn(
    "vrrp-version",
    Medium,
    [
        "vrrp_version 3",
        "in version 2 a backup waits up to a second even after it was told that the holder stops",
        "set `vrrp_version 3` on all nodes together",
        "RFC 5798 section 6.1",
    ],
);
pub(super) const SKEW: Rule = warn(
    "skew",
    Low,
    [
        "priorities near 254",
        "a backup of low priority waits longer after the holder has said that it stops",
        "raise the priorities of all nodes: 254, 253, ...",
        "RFC 5798 section 6.1",
    ],
);
pub(super) const MASTER_NOPREEMPT: Rule = fail(
    "master-nopreempt",
    High,
    [
        "state BACKUP",
        "`state MASTER` takes nopreempt away: the node takes the address back each time it starts",
        "use `state BACKUP` on every node",
        "keepalived.conf(5), nopreempt",
    ],
);
pub(super) const STATE_MASTER: Rule = warn(
    "state-master",
    Medium,
    [
        "state BACKUP with nopreempt",
        "the node takes the address back as soon as it returns: one fault, two outages",
        "use `state BACKUP` and `nopreempt` on every node",
        "lablabs/ansible-role-rke2#60",
    ],
);
pub(super) const UNTRACKED: Rule = fail(
    "untracked",
    Critical,
    [
        "track_script or track_file",
        "nothing tells keepalived that haproxy is dead: the address stays on a node that does not answer",
        "track `ha-vipcheck`, by script or by track file",
        "keepalived.conf(5), track_script",
    ],
);
pub(super) const TRACK_FILE_ALONE: Rule = warn(
    "track-file-alone",
    High,
    [
        "a vrrp_script beside it that looks at the file's age",
        "a track file that is deleted, garbled or no longer written keeps its last value: it fails open, silently",
        "add a vrrp_script running `ha-vipcheck --track-age FILE --max-age 3s`",
        "keepalived.conf(5), track_file",
    ],
);
pub(super) const TRACK_PROCESS: Rule = warn(
    "track-process",
    Medium,
    [
        "track_file",
        "track_process sees no processes from within a container or network namespace, and misses one that hangs",
        "follow a track_file written by `ha-vipcheck --watch`",
        "acassen/keepalived#1469",
    ],
);
pub(super) const GARP_REFRESH: Rule = warn(
    "garp-refresh",
    Low,
    [
        "vrrp_garp_master_refresh 30",
        "a switch or neighbour that missed the first announcements, or forgot them, is never told again",
        "add `vrrp_garp_master_refresh 30`",
        "metallb/metallb#584",
    ],
);
pub(super) const SPLIT_REPAIR: Rule = warn(
    "split-repair",
    Low,
    [
        "vrrp_higher_prio_send_advert true",
        "after two masters the loser's announcements may be the last that neighbours heard, and the winner does not repeat its own",
        "add `vrrp_higher_prio_send_advert true` and `vrrp_garp_lower_prio_repeat 1`",
        "acassen/keepalived#166",
    ],
);
pub(super) const REALTIME: Rule = warn(
    "realtime",
    Low,
    [
        "vrrp_priority and vrrp_no_swap",
        "with adverts this short a keepalived that waits for the CPU looks dead to its backup",
        "add `vrrp_priority -20` and `vrrp_no_swap`",
        "acassen/keepalived#2066",
    ],
);
pub(super) const REALTIME_RELOAD: Rule = warn(
    "realtime-reload",
    Medium,
    [
        "vrrp_priority",
        "at a reload keepalived 2.2.7 sets its limit of real time (RLIMIT_RTTIME) to 0, and the kernel kills its VRRP process",
        "write `vrrp_priority -20` instead: it keeps its turn without real time",
        "setrlimit(2)",
    ],
);
pub(super) const FAMILIES: Rule = fail(
    "families",
    High,
    [
        "one instance for each family",
        "an instance speaks IPv4 or IPv6: addresses of the other family are ignored",
        "move them to an instance of their own, or to virtual_ipaddress_excluded",
        "acassen/keepalived#497",
    ],
);
