//! The addresses of this node.

use std::net::IpAddr;

use cli::Context;
use nix::ifaddrs::getifaddrs;

/// Every address of every interface.
pub(crate) fn addresses() -> cli::Result<impl Iterator<Item = IpAddr>> {
    let interfaces = getifaddrs().unavailable("listing this node's addresses")?;
    Ok(interfaces.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_address_is_here_and_one_that_begins_alike_is_not() {
        let here: Vec<_> = addresses().unwrap().collect();
        assert!(here.contains(&IpAddr::from([127, 0, 0, 1])));
        assert!(!here.contains(&IpAddr::from([127, 0, 0, 11])));
    }
}
