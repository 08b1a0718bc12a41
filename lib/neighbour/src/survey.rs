//! Asking everybody on a link.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{LinkAddr, MsgFlags, bind, recvfrom, send};
use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, socket_with};

use crate::{Error, Mac, Result, frame, interface};

/// How often to ask, and how long to wait for answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Survey {
    /// How often the question is put: a lost frame must not look like a lost holder.
    pub rounds: u32,
    /// The time between two questions, and after the last one.
    pub interval: Duration,
    /// With so many holders of one address the answer is clear, and nobody waits for more.
    pub enough: usize,
}

/// Three questions 100 ms apart, and all answers to them.
impl Default for Survey {
    fn default() -> Self {
        Self { rounds: 3, interval: Duration::from_millis(100), enough: usize::MAX }
    }
}

/// Who holds `address` on the link of `interface`, this machine included:
/// distinct hardware addresses, in order. Takes the whole time of the survey
/// unless [`Survey::enough`] ends it.
///
/// # Errors
/// Fails if there is no such Ethernet interface, it is down, or packet
/// sockets are not permitted.
pub fn holders(interface: &str, address: IpAddr, survey: &Survey) -> Result<Vec<Mac>> {
    Ok(ask(interface, &[address], survey)?.remove(&address).unwrap_or_default())
}

/// Who holds each of several addresses, asked in the same time; one nobody holds has an empty list.
///
/// # Errors
/// As [`holders`].
pub fn ask(interface: &str, addresses: &[IpAddr], survey: &Survey) -> Result<BTreeMap<IpAddr, Vec<Mac>>> {
    let (link, mac) = interface::link(interface)?;
    let wanted = BTreeSet::from_iter(addresses);
    let mut found: BTreeMap<_, BTreeSet<Mac>> =
        addresses.iter().map(|address| (*address, BTreeSet::new())).collect();
    let locals = interface::locals()?;
    for local in &locals {
        if let Some(macs) = found.get_mut(&local.address) {
            macs.insert(mac);
        }
    }
    let source = source(&locals, interface, &wanted);
    let questions: Vec<(u16, Vec<u8>)> = wanted
        .iter()
        .map(|address| match address {
            IpAddr::V4(target) => (frame::ARP, frame::arp_probe(mac, *target)),
            IpAddr::V6(target) => (frame::IPV6, frame::ndp_solicit(mac, source, *target)),
        })
        .collect();
    let kinds: BTreeSet<u16> = questions.iter().map(|(kind, _)| *kind).collect();
    let named = |errno| refusal(interface, errno);
    let sockets = kinds
        .into_iter()
        .map(|kind| open(kind, &link).map(|socket| (kind, socket)).map_err(named))
        .collect::<Result<Vec<_>>>()?;

    let mut hear = |frame: &[u8]| {
        if let Some((address, mac)) = frame::claim(frame)
            && let Some(macs) = found.get_mut(&address)
        {
            macs.insert(mac);
            return macs.len() >= survey.enough;
        }
        false
    };
    for _ in 0..survey.rounds {
        for (kind, question) in &questions {
            let socket = sockets.iter().find(|(of, _)| of == kind);
            let sent = socket.map(|(_, socket)| send(socket.as_raw_fd(), question, MsgFlags::empty()));
            sent.transpose().map_err(named)?;
        }
        if listen(&sockets, link.ifindex(), Instant::now() + survey.interval, &mut hear).map_err(named)? {
            break;
        }
    }
    Ok(found.into_iter().map(|(address, macs)| (address, macs.into_iter().collect())).collect())
}

/// An address of this interface to ask from: its link-local one, else any
/// that is not itself asked about, else none.
fn source(locals: &[interface::Local], interface: &str, wanted: &BTreeSet<&IpAddr>) -> Ipv6Addr {
    let own = locals.iter().filter(|local| local.interface == interface && !wanted.contains(&local.address));
    let v6 = own.filter_map(|local| match local.address {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(_) => None,
    });
    v6.max_by_key(Ipv6Addr::is_unicast_link_local).unwrap_or(Ipv6Addr::UNSPECIFIED)
}

/// A packet socket that sees one Ethernet type on one interface.
fn open(kind: u16, link: &LinkAddr) -> nix::Result<OwnedFd> {
    // packet(7): the protocol is given in network byte order.
    let protocol = NonZeroU32::new(kind.to_be().into()).map(Protocol::from_raw);
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, protocol)
        .map_err(|errno| Errno::from_raw(errno.raw_os_error()))?;
    // getifaddrs leaves the address's protocol 0, and bind(2) then keeps the socket's.
    bind(socket.as_raw_fd(), link)?;
    Ok(socket)
}

/// Hears every frame of this link until one is enough (true) or the time is up.
fn listen(
    sockets: &[(u16, OwnedFd)],
    link: usize,
    until: Instant,
    hear: &mut impl FnMut(&[u8]) -> bool,
) -> nix::Result<bool> {
    let mut buffer = [0; 1522];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let mut ready: Vec<PollFd> =
            sockets.iter().map(|(_, socket)| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
        let left = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
        match poll(&mut ready, left) {
            Err(Errno::EINTR) => continue,
            polled => polled?,
        };
        for (_, socket) in sockets {
            // A flood must not outlast the time: at most so many frames between two looks at the clock.
            for _ in 0..64 {
                match recvfrom::<LinkAddr>(socket.as_raw_fd(), &mut buffer) {
                    // Between socket(2) and bind(2) frames of other links may have come in.
                    Ok((size, from)) if from.is_none_or(|from| from.ifindex() == link) => {
                        if hear(&buffer[..size.min(buffer.len())]) {
                            return Ok(true);
                        }
                    }
                    Ok(_) | Err(Errno::EINTR) => {}
                    Err(Errno::EAGAIN) => break,
                    Err(errno) => return Err(errno),
                }
            }
        }
    }
}

fn refusal(interface: &str, errno: Errno) -> Error {
    match errno {
        Errno::EPERM | Errno::EACCES => Error::NotPermitted,
        Errno::ENETDOWN => Error::Down(interface.to_owned()),
        Errno::ENODEV | Errno::ENXIO => Error::NoInterface(interface.to_owned()),
        other => io::Error::from(other).into(),
    }
}
