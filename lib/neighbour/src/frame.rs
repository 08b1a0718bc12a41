//! The frames asked and answered with, as pure functions of bytes.
//!
//! ```text
//! ARP, RFC 826       dst 6 | src 6 | 0806 | hw 1 | proto 0800 | 6 | 4 | op | sha 6 | spa 4 | tha 6 | tpa 4
//! NDP, RFC 4861      dst 6 | src 6 | 86dd | IPv6 header 40, hop limit 255 | type | code | sum | flags |
//!                    target 16 | options (type, length in eights, …)
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Mac;

/// The Ethernet type of ARP.
pub const ARP: u16 = 0x0806;
/// The Ethernet type of IPv6.
pub const IPV6: u16 = 0x86dd;

const ICMPV6: u8 = 58;
const SOLICIT: u8 = 135;
const ADVERT: u8 = 136;
const TARGET_LINK: u8 = 2;

/// Asks everybody on the link who holds `target`.
///
/// The sender's address is all zero, as in the probe of RFC 5227, so that
/// nobody's neighbour table changes because we were curious.
pub fn arp_probe(from: Mac, target: Ipv4Addr) -> Vec<u8> {
    let mut frame = ethernet(Mac([0xff; 6]), from, ARP);
    frame.extend([0, 1, 0x08, 0x00, 6, 4, 0, 1]);
    frame.extend(from.0);
    frame.extend([0; 4]);
    frame.extend([0; 6]);
    frame.extend(target.octets());
    frame
}

/// Asks everybody who may hold `target`, by its solicited-node group.
///
/// `source` is an address of this interface; the unspecified one would make
/// this a duplicate address detection probe, at which a node still checking
/// its new address gives it up (RFC 4862 section 5.4.3).
pub fn ndp_solicit(from: Mac, source: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let [.., x, y, z] = target.octets();
    let group = Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, x, y, z]);
    let mut message = vec![SOLICIT, 0, 0, 0, 0, 0, 0, 0];
    message.extend(target.octets());
    if !source.is_unspecified() {
        message.extend([1, 1]);
        message.extend(from.0);
    }
    let sum = checksum(source, group, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());

    let mut frame = ethernet(Mac([0x33, 0x33, 0xff, x, y, z]), from, IPV6);
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
    frame.extend([0x60, 0, 0, 0]);
    frame.extend(length.to_be_bytes());
    frame.extend([ICMPV6, 255]);
    frame.extend(source.octets());
    frame.extend(group.octets());
    frame.extend(message);
    frame
}

/// The address a frame claims to hold and the station that claims it; `None`
/// if it claims none.
///
/// Any ARP packet claims its sender's address (RFC 5227 section 2.4), a
/// neighbour advertisement its target (RFC 4861 section 4.4). What breaks
/// the rules of those documents claims nothing.
pub fn claim(frame: &[u8]) -> Option<(IpAddr, Mac)> {
    let sender = Mac(array(frame, 6)?);
    let body = frame.get(14..)?;
    let (address, mac) = match u16::from_be_bytes(array(frame, 12)?) {
        ARP => arp_claim(body).map(|(address, mac)| (IpAddr::V4(address), mac)),
        IPV6 => ndp_claim(body, sender).map(|(address, mac)| (IpAddr::V6(address), mac)),
        _ => None,
    }?;
    mac.is_station().then_some((address, mac))
}

fn arp_claim(packet: &[u8]) -> Option<(Ipv4Addr, Mac)> {
    let [0, 1, 8, 0, 6, 4, 0, 1 | 2] = array(packet, 0)? else { return None };
    let sender = Ipv4Addr::from(array::<4>(packet, 14)?);
    let _whole: [u8; 10] = array(packet, 18)?;
    (!sender.is_unspecified()).then_some((sender, Mac(array(packet, 8)?)))
}

fn ndp_claim(packet: &[u8], sender: Mac) -> Option<(Ipv6Addr, Mac)> {
    let header: [u8; 40] = array(packet, 0)?;
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    // Hop limit 255: it came from this link, no router passed it on.
    if header[0] >> 4 != 6 || header[6] != ICMPV6 || header[7] != 255 {
        return None;
    }
    let message = packet.get(40..40 + length)?;
    let [ADVERT, 0] = array(message, 0)? else { return None };
    let (source, to) = (Ipv6Addr::from(array::<16>(&header, 8)?), Ipv6Addr::from(array::<16>(&header, 24)?));
    let target = Ipv6Addr::from(array::<16>(message, 8)?);
    if target.is_multicast() || target.is_unspecified() || checksum(source, to, message) != 0 {
        return None;
    }
    let mut mac = sender;
    let mut options = &message[24..];
    while !options.is_empty() {
        let [kind, eights] = array(options, 0)?;
        let size = usize::from(eights) * 8;
        // An option without length makes the whole packet invalid (RFC 4861 section 4.6).
        let option = options.get(..size).filter(|option| !option.is_empty())?;
        if kind == TARGET_LINK && size == 8 {
            mac = Mac(array(option, 2)?);
        }
        options = &options[size..];
    }
    Some((target, mac))
}

fn ethernet(to: Mac, from: Mac, kind: u16) -> Vec<u8> {
    let mut frame = Vec::with_capacity(86);
    frame.extend(to.0);
    frame.extend(from.0);
    frame.extend(kind.to_be_bytes());
    frame
}

/// The Internet checksum of an `ICMPv6` message with its pseudo header (RFC
/// 8200 section 8.1); 0 over a message whose checksum is right.
fn checksum(source: Ipv6Addr, to: Ipv6Addr, message: &[u8]) -> u16 {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let parts = [&source.octets()[..], &to.octets(), &length.to_be_bytes(), &[0, 0, 0, ICMPV6], message];
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let mut sum: u64 = words
        .map(|word| u64::from(u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or_default()])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

/// `N` bytes from `at`, if they are there.
fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: Mac = Mac([0x52, 0x54, 0, 0, 0, 0xa]);
    const B: Mac = Mac([0x52, 0x54, 0, 0, 0, 0xb]);

    fn arp_reply() -> Vec<u8> {
        let mut frame = arp_probe(B, Ipv4Addr::UNSPECIFIED);
        frame[21] = 2;
        frame[28..32].copy_from_slice(&[10, 77, 0, 100]);
        frame.resize(60, 0);
        frame
    }

    /// An advertisement whose target link-layer address differs from the frame's sender.
    fn advert(target: Ipv6Addr, options: &[u8]) -> Vec<u8> {
        let (source, to) = ("fe80::b".parse().unwrap(), "fe80::a".parse().unwrap());
        let mut message = vec![ADVERT, 0, 0, 0, 0x60, 0, 0, 0];
        message.extend(target.octets());
        message.extend(options);
        let sum = checksum(source, to, &message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        let mut frame = ethernet(A, A, IPV6);
        frame.extend([0x60, 0, 0, 0, 0, u8::try_from(message.len()).unwrap(), ICMPV6, 255]);
        frame.extend(source.octets());
        frame.extend(to.octets());
        frame.extend(message);
        frame
    }

    #[test]
    fn an_arp_reply_claims_its_senders_address_padded_or_not() {
        let claimed = Some(("10.77.0.100".parse().unwrap(), B));
        assert_eq!(claim(&arp_reply()), claimed);
        assert_eq!(claim(&arp_reply()[..42]), claimed);
        assert_eq!(claim(&arp_reply()[..41]), None, "cut off");
    }

    #[test]
    fn a_probe_claims_nothing() {
        assert_eq!(claim(&arp_probe(A, Ipv4Addr::new(10, 77, 0, 100))), None);
    }

    #[test]
    fn a_reply_from_a_group_address_is_believed_by_nobody() {
        let mut frame = arp_reply();
        frame[22] = 0xff;
        assert_eq!(claim(&frame), None);
    }

    #[test]
    fn the_solicitation_is_the_one_rfc_4861_describes() {
        let target: Ipv6Addr = "fd77::12:3456".parse().unwrap();
        let frame = ndp_solicit(A, "fe80::a".parse().unwrap(), target);
        assert_eq!(frame.len(), 14 + 40 + 32);
        assert_eq!(frame[..6], [0x33, 0x33, 0xff, 0x12, 0x34, 0x56]);
        assert_eq!(frame[38..54], "ff02::1:ff12:3456".parse::<Ipv6Addr>().unwrap().octets());
        // Worked out by hand from RFC 4443 section 2.3 for this very packet.
        let sum: u32 =
            frame[22..].chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum::<u32>() + 32 + 58;
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    }

    #[test]
    fn an_advertisement_claims_its_target_for_the_station_it_names() {
        let target: Ipv6Addr = "fd77::100".parse().unwrap();
        let mut option = vec![TARGET_LINK, 1];
        option.extend(B.0);
        assert_eq!(claim(&advert(target, &option)), Some((IpAddr::V6(target), B)));
        assert_eq!(claim(&advert(target, &[])), Some((IpAddr::V6(target), A)), "else for its sender");
    }

    #[test]
    fn an_advertisement_that_breaks_a_rule_claims_nothing() {
        let target: Ipv6Addr = "fd77::100".parse().unwrap();
        let good = advert(target, &[]);
        for (at, what) in
            [(21, "hop limit"), (20, "next header"), (56, "checksum"), (54, "type"), (55, "code")]
        {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert_eq!(claim(&bad), None, "{what}");
        }
        assert_eq!(
            claim(&advert(target, &[TARGET_LINK, 0, 1, 2, 3, 4, 5, 6])),
            None,
            "an option of no length"
        );
        assert_eq!(claim(&advert(target, &[TARGET_LINK, 2, 1, 2, 3, 4, 5, 6])), None, "an option cut off");
        assert_eq!(claim(&advert("ff02::1".parse().unwrap(), &[])), None, "a group");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_survived(frame in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = claim(&frame);
        }

        #[test]
        fn damaged_frames_are_survived(at in 0usize..94, with: u8, cut in 0usize..100) {
            for mut frame in [arp_reply(), advert("fd77::1".parse().unwrap(), &[TARGET_LINK, 1, 2, 3, 4, 5, 6, 7])] {
                if let Some(byte) = frame.get_mut(at) { *byte = with; }
                frame.truncate(cut);
                let _ = claim(&frame);
            }
        }
    }
}
