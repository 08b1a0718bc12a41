//! This machine's own addresses.

use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::sys::socket::{LinkAddr, SockaddrStorage};

use crate::{Error, Mac, Result};

/// An address one of this machine's interfaces carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// The interface's name.
    pub interface: String,
    /// The address.
    pub address: IpAddr,
    /// The length of its network's prefix, bits.
    pub prefix: u8,
}

/// Every address this machine's interfaces carry.
pub fn locals() -> Result<Vec<Local>> {
    let all = getifaddrs().map_err(std::io::Error::from)?;
    Ok(all.filter_map(|entry| of(&entry)).collect())
}

/// The interface that carries exactly `address`; `None` if none does.
pub fn local(address: IpAddr) -> Result<Option<Local>> {
    Ok(locals()?.into_iter().find(|local| local.address == address))
}

/// The interface whose network holds `address`, the narrowest if several do;
/// `None` if none does.
pub fn facing(address: IpAddr) -> Result<Option<String>> {
    let covering = locals()?.into_iter().filter(|local| covers(local, address));
    Ok(covering.max_by_key(|local| local.prefix).map(|local| local.interface))
}

/// An interface's hardware address.
///
/// # Errors
/// [`Error::NoInterface`] or [`Error::NotEthernet`]; otherwise what the system said.
pub fn hardware(interface: &str) -> Result<Mac> {
    link(interface).map(|(_, mac)| mac)
}

/// The packet address of an interface, as a packet socket is bound to it, and its hardware address.
pub(crate) fn link(interface: &str) -> Result<(LinkAddr, Mac)> {
    let entries = getifaddrs().map_err(std::io::Error::from)?;
    let mut own = entries.filter(|entry| entry.interface_name == interface);
    let address = own
        .find_map(|entry| entry.address.as_ref().and_then(SockaddrStorage::as_link_addr).copied())
        .ok_or_else(|| Error::NoInterface(interface.to_owned()))?;
    // 1 is ARPHRD_ETHER; the loopback is 772.
    match address.addr().map(Mac) {
        Some(mac) if address.hatype() == 1 && address.halen() == 6 => Ok((address, mac)),
        _ => Err(Error::NotEthernet(interface.to_owned())),
    }
}

/// Takes an address off its interface.
///
/// # Errors
/// Fails if `ip` cannot be run or refuses.
pub fn remove(local: &Local) -> Result<()> {
    let address = format!("{}/{}", local.address, local.prefix);
    let mut command = Command::new("ip");
    command.args(["address", "delete", &address, "dev", &local.interface]);
    let done = process::run(&mut command, &process::Limits::within(Duration::from_secs(5)))?;
    if done.end.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    Err(Error::Refused(if said.is_empty() { format!("{:?}", done.end) } else { said }))
}

fn of(entry: &InterfaceAddress) -> Option<Local> {
    let address = ip(entry.address.as_ref()?)?;
    let prefix = match entry.netmask.as_ref().and_then(ip) {
        Some(IpAddr::V4(mask)) => mask.to_bits().leading_ones(),
        Some(IpAddr::V6(mask)) => mask.to_bits().leading_ones(),
        None => width(address).into(),
    };
    Some(Local {
        interface: entry.interface_name.clone(),
        address,
        prefix: u8::try_from(prefix).unwrap_or(width(address)),
    })
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Whether the address lies in the local one's network; a network of one
/// address leads nowhere, and the link-local one says nothing about the link.
fn covers(local: &Local, address: IpAddr) -> bool {
    let bits = width(local.address) - local.prefix;
    let (ours, theirs) = match (local.address, address) {
        (IpAddr::V4(ours), IpAddr::V4(theirs)) => (u128::from(ours.to_bits()), u128::from(theirs.to_bits())),
        (IpAddr::V6(ours), IpAddr::V6(theirs)) if !ours.is_unicast_link_local() => {
            (ours.to_bits(), theirs.to_bits())
        }
        _ => return false,
    };
    bits > 0 && (ours ^ theirs).checked_shr(bits.into()).unwrap_or_default() == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(interface: &str, address: &str, prefix: u8) -> Local {
        Local { interface: interface.into(), address: address.parse().unwrap(), prefix }
    }

    #[test]
    fn the_loopback_carries_its_address_and_no_other() {
        let here = local("127.0.0.1".parse().unwrap()).unwrap().unwrap();
        assert_eq!(here, at("lo", "127.0.0.1", 8));
        assert_eq!(local("192.0.2.1".parse().unwrap()).unwrap(), None);
    }

    #[test]
    fn an_address_lies_in_the_network_of_the_same_family_only() {
        let eth0 = at("eth0", "10.77.0.11", 24);
        assert!(covers(&eth0, "10.77.0.100".parse().unwrap()));
        assert!(!covers(&eth0, "10.77.1.100".parse().unwrap()));
        assert!(!covers(&eth0, "fd77::1".parse().unwrap()));
        assert!(covers(&at("eth0", "fd77::11", 64), "fd77::100".parse().unwrap()));
        assert!(!covers(&at("eth0", "fd77::11", 64), "fd78::100".parse().unwrap()));
        assert!(covers(&at("tun0", "10.0.0.1", 0), "192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn a_virtual_address_is_no_network_to_find_itself_by() {
        assert!(!covers(&at("lo", "10.77.0.100", 32), "10.77.0.100".parse().unwrap()));
    }

    #[test]
    fn nobody_can_be_asked_on_the_loopback_or_on_what_is_not_there() {
        assert!(matches!(hardware("lo"), Err(Error::NotEthernet(_))));
        assert!(matches!(hardware("nowhere0"), Err(Error::NoInterface(_))));
    }
}
