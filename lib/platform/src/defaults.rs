//! What holds where the document says nothing; the schema shows the same.

use crate::model::{Check, CheckMode, Ssh};

pub(crate) fn max_pods() -> u32 {
    110
}

pub(crate) fn block_size() -> u8 {
    26
}

pub(crate) fn block_size6() -> u8 {
    122
}

pub(crate) fn autodetect() -> String {
    // Calico's own default, first-found, may choose the VIP (projectcalico/calico#5094).
    "kubernetes-internal-ip".to_owned()
}

pub(crate) fn node_mask() -> u8 {
    24
}

pub(crate) fn node_mask6() -> u8 {
    64
}

pub(crate) fn api_port() -> u16 {
    6443
}

pub(crate) fn mtu() -> u32 {
    1500
}

pub(crate) fn dns_domain() -> String {
    "cluster.local".to_owned()
}

pub(crate) fn advert_ms() -> u32 {
    100
}

pub(crate) fn health_port() -> u16 {
    8404
}

pub(crate) fn stats_socket() -> String {
    "/run/haproxy/admin.sock".to_owned()
}

pub(crate) fn ca_file() -> String {
    "/etc/kubernetes/pki/ca.crt".to_owned()
}

pub(crate) fn interval_ms() -> u32 {
    100
}

pub(crate) fn rise() -> u32 {
    2
}

pub(crate) fn fall() -> u32 {
    2
}

pub(crate) fn ssh_port() -> u16 {
    22
}

impl Default for Check {
    fn default() -> Self {
        Self { mode: CheckMode::default(), interval_ms: interval_ms(), rise: rise(), fall: fall() }
    }
}

impl Default for Ssh {
    fn default() -> Self {
        Self { user: None, port: ssh_port(), key: None }
    }
}
