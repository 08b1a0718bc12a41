//! Keys, and what their self-signatures say, sections 5.5 and 10 of RFC 9580.

use std::fmt::Write;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::Error;
use crate::packet::{
    PUBLIC_KEY, PUBLIC_SUBKEY, Packet, SECRET_KEY, SECRET_SUBKEY, SIGNATURE, USER_ATTRIBUTE, USER_ID, packets,
};
use crate::signature::{
    CERTIFICATION_REVOCATION, CERTIFICATIONS, DIRECT_KEY, KEY_REVOCATION, SUBKEY_BINDING, SUBKEY_REVOCATION,
    Signature, number,
};

/// A public key with its user ids and subkeys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its version: 4, 5 or 6.
    pub version: u8,
    /// Its fingerprint, upper-case hex: 40 digits, 64 from version 5 on.
    pub fingerprint: String,
    /// When it was made, seconds since 1970.
    pub created: u64,
    /// When it stops being good, seconds since 1970; null if it never does.
    pub expires: Option<u64>,
    /// Whether its owner took it back.
    pub revoked: bool,
    /// Whose it is, as its owner says; revoked names left out.
    pub user_ids: Vec<String>,
    /// Its subkeys, those without a binding signature left out.
    pub subkeys: Vec<Subkey>,
}

/// A key that belongs to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subkey {
    /// Its fingerprint, upper-case hex.
    pub fingerprint: String,
    /// When it was made, seconds since 1970.
    pub created: u64,
    /// When it stops being good, seconds since 1970; null if it never does.
    pub expires: Option<u64>,
    /// Whether its owner took it back.
    pub revoked: bool,
}

impl Key {
    /// Whether it is no good any more at a time, seconds since 1970.
    pub fn is_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Whether a fingerprint names it, written in any case, with blanks and colons.
    pub fn is(&self, fingerprint: &str) -> bool {
        let plain = fingerprint.chars().filter(|c| !c.is_whitespace() && *c != ':');
        let plain: String = plain.map(|c| c.to_ascii_uppercase()).collect();
        plain.strip_prefix("0X").unwrap_or(&plain) == self.fingerprint
    }
}

/// A key as its packet says.
struct Public {
    version: u8,
    created: u64,
    fingerprint: Vec<u8>,
    id: [u8; 8],
}

/// What signatures are about, with those that the key itself made.
enum Part {
    Primary,
    User(String),
    Attribute,
    Subkey(Public),
}

/// Every key of a sequence of packets.
pub(crate) fn keys(bytes: &[u8]) -> Result<Vec<Key>, Error> {
    let packets = packets(bytes)?;
    if packets.iter().any(|packet| matches!(packet.tag, SECRET_KEY | SECRET_SUBKEY)) {
        return Err(Error::Secret);
    }
    if packets.first().is_none_or(|first| first.tag != PUBLIC_KEY) {
        return Err(Error::NotAKey);
    }
    // No packet comes before the first key, so each run begins with one.
    packets.chunk_by(|_, next| next.tag != PUBLIC_KEY).map(key).collect()
}

fn key(packets: &[Packet]) -> Result<Key, Error> {
    let primary = public(&packets[0])?;
    let mut parts: Vec<(Part, Vec<Signature>)> = vec![(Part::Primary, Vec::new())];
    for packet in &packets[1..] {
        let part = match packet.tag {
            SIGNATURE => {
                let own = |signature: &Signature| signature.is_by(&primary.fingerprint, primary.id);
                if let (Some(signature), Some(last)) =
                    (Signature::parse(packet.body).filter(own), parts.last_mut())
                {
                    last.1.push(signature);
                }
                continue;
            }
            USER_ID => Part::User(String::from_utf8_lossy(packet.body).into_owned()),
            USER_ATTRIBUTE => Part::Attribute,
            PUBLIC_SUBKEY => Part::Subkey(public(packet)?),
            // Trust, padding and what is not known yet.
            _ => continue,
        };
        parts.push((part, Vec::new()));
    }
    Ok(told(&primary, parts))
}

/// What the parts of a key say together.
///
/// Its expiration is what the newest direct signature says, else what the
/// newest of those user ids says that say one, as `GnuPG` has it.
fn told(primary: &Public, parts: Vec<(Part, Vec<Signature>)>) -> Key {
    let mut key = Key {
        version: primary.version,
        fingerprint: hex(&primary.fingerprint),
        created: primary.created,
        expires: None,
        revoked: false,
        user_ids: Vec::new(),
        subkeys: Vec::new(),
    };
    let mut direct = None;
    let mut by_users: Option<(u64, u64)> = None;
    for (part, signatures) in parts {
        match part {
            Part::Primary => {
                key.revoked = signatures.iter().any(|signature| signature.kind == KEY_REVOCATION);
                direct =
                    newest(&signatures, |kind| kind == DIRECT_KEY).and_then(|newest| newest.key_good_for);
            }
            Part::User(name) => {
                let about = |kind| CERTIFICATIONS.contains(&kind) || kind == CERTIFICATION_REVOCATION;
                let newest = newest(&signatures, about);
                if newest.is_some_and(|newest| newest.kind == CERTIFICATION_REVOCATION) {
                    continue;
                }
                key.user_ids.push(name);
                if let Some(Signature { created, key_good_for: Some(good_for), .. }) = newest
                    && by_users.is_none_or(|(since, _)| *created > since)
                {
                    by_users = Some((*created, *good_for));
                }
            }
            Part::Attribute => {}
            Part::Subkey(public) => {
                let Some(binding) = newest(&signatures, |kind| kind == SUBKEY_BINDING) else { continue };
                key.subkeys.push(Subkey {
                    fingerprint: hex(&public.fingerprint),
                    created: public.created,
                    expires: binding.key_good_for.map(|seconds| public.created + seconds),
                    revoked: signatures.iter().any(|signature| signature.kind == SUBKEY_REVOCATION),
                });
            }
        }
    }
    let good_for = direct.or(by_users.map(|(_, good_for)| good_for));
    key.expires = good_for.map(|seconds| primary.created + seconds);
    key
}

/// The newest signature of these kinds; of several at one time the last.
fn newest(signatures: &[Signature], of: impl Fn(u8) -> bool) -> Option<&Signature> {
    signatures.iter().filter(|signature| of(signature.kind)).max_by_key(|signature| signature.created)
}

fn public(packet: &Packet) -> Result<Public, Error> {
    let body = packet.body;
    let cut = Error::Packet { at: packet.at, why: "the key is cut short" };
    let version = *body.first().ok_or(cut.clone())?;
    let created = number(body.get(1..5).ok_or(cut.clone())?);
    let length = u32::try_from(body.len()).map_err(|_| cut.clone())?;
    let fingerprint = match version {
        4 => {
            let length = u16::try_from(length).map_err(|_| cut.clone())?;
            Sha1::new()
                .chain_update([0x99])
                .chain_update(length.to_be_bytes())
                .chain_update(body)
                .finalize()
                .to_vec()
        }
        5 | 6 => {
            let first = if version == 5 { 0x9A } else { 0x9B };
            let hash = Sha256::new().chain_update([first]).chain_update(length.to_be_bytes());
            hash.chain_update(body).finalize().to_vec()
        }
        other => return Err(Error::Version(other)),
    };
    let id = if version == 4 { &fingerprint[12..] } else { &fingerprint[..8] };
    let id = id.try_into().map_err(|_| cut)?;
    Ok(Public { version, created, fingerprint, id })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02X}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The certificate of appendix A.3 of RFC 9580.
    const V6: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----

xioGY4d/4xsAAAAg+U2nu0jWCmHlZ3BqZYfQMxmZu52JGggkLq2EVD34laPCsQYf
GwoAAABCBYJjh3/jAwsJBwUVCg4IDAIWAAKbAwIeCSIhBssYbE8GCaaX5NUt+mxy
KwwfHifBilZwj2Ul7Ce62azJBScJAgcCAAAAAK0oIBA+LX0ifsDm185Ecds2v8lw
gyU2kCcUmKfvBXbAf6rhRYWzuQOwEn7E/aLwIwRaLsdry0+VcallHhSu4RN6HWaE
QsiPlR4zxP/TP7mhfVEe7XWPxtnMUMtf15OyA51YBM4qBmOHf+MZAAAAIIaTJINn
+eUBXbki+PSAld2nhJh/LVmFsS+60WyvXkQ1wpsGGBsKAAAALAWCY4d/4wKbDCIh
BssYbE8GCaaX5NUt+mxyKwwfHifBilZwj2Ul7Ce62azJAAAAAAQBIKbpGG2dWTX8
j+VjFM21J0hqWlEg+bdiojWnKfA5AQpWUWtnNwDEM0g12vYxoWM8Y81W+bHBw805
I8kWVkXU6vFOi+HWvv/ira7ofJu16NnoUkhclkUrk0mXubZvyl4GBg==
-----END PGP PUBLIC KEY BLOCK-----
";

    /// A packet of version 4's key, made at this time.
    fn public_key(created: u32) -> Vec<u8> {
        let mut body = vec![4];
        body.extend(created.to_be_bytes());
        body.extend([22, 1, 2, 3]);
        packet(PUBLIC_KEY, &body)
    }

    fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
        [&[0xC0 | tag, u8::try_from(body.len()).unwrap()][..], body].concat()
    }

    /// A signature of this kind, made then, that lets the key be good for so long.
    fn signature(kind: u8, created: u32, good_for: u32) -> Vec<u8> {
        let mut hashed = vec![5, 2];
        hashed.extend(created.to_be_bytes());
        hashed.extend([5, 9]);
        hashed.extend(good_for.to_be_bytes());
        let mut body = vec![4, kind, 22, 8, 0, u8::try_from(hashed.len()).unwrap()];
        body.extend(hashed);
        body.extend([0, 0, 1, 2]);
        packet(SIGNATURE, &body)
    }

    fn expires(parts: &[Vec<u8>]) -> Option<u64> {
        keys(&parts.concat()).unwrap().remove(0).expires
    }

    #[test]
    fn a_key_of_version_6_has_the_fingerprint_the_rfc_says() {
        let keyring = crate::parse(V6.as_bytes()).unwrap();
        let key = &keyring.keys[0];
        assert_eq!(key.fingerprint, "CB186C4F0609A697E4D52DFA6C722B0C1F1E27C18A56708F6525EC27BAD9ACC9");
        assert_eq!((key.version, key.expires, key.subkeys.len()), (6, None, 1));
        assert_eq!(
            key.subkeys[0].fingerprint,
            "12C83F1E706F6308FE151A417743A1F033790E93E9978488D1DB378DA9930885"
        );
    }

    #[test]
    fn the_newest_signature_says_until_when() {
        let key = public_key(1000);
        let user = packet(USER_ID, b"a");
        assert_eq!(expires(std::slice::from_ref(&key)), None);
        assert_eq!(expires(&[key.clone(), user.clone(), signature(0x13, 1000, 60)]), Some(1060));
        let longer = [key.clone(), user.clone(), signature(0x13, 2000, 5000), signature(0x13, 1000, 60)];
        assert_eq!(expires(&longer), Some(6000));
        assert_eq!(
            expires(&[key.clone(), user.clone(), signature(0x13, 1000, 60), signature(0x13, 2000, 0)]),
            None
        );
        let direct = [key, signature(DIRECT_KEY, 1500, 99), user, signature(0x13, 2000, 0)];
        assert_eq!(expires(&direct), Some(1099));
    }

    #[test]
    fn what_is_revoked_is_told() {
        let user = |name: &[u8]| packet(USER_ID, name);
        let parts = [
            public_key(1),
            signature(KEY_REVOCATION, 5, 0),
            user(b"a"),
            signature(0x10, 2, 0),
            user(b"b"),
            signature(0x10, 2, 0),
            signature(CERTIFICATION_REVOCATION, 3, 0),
        ];
        let key = keys(&parts.concat()).unwrap().remove(0);
        assert!(key.revoked);
        assert_eq!(key.user_ids, ["a"]);
    }

    #[test]
    fn what_is_no_public_key_is_refused() {
        assert_eq!(keys(&[]), Err(Error::NotAKey));
        assert_eq!(keys(&packet(USER_ID, b"a")), Err(Error::NotAKey));
        assert_eq!(keys(&[public_key(1), packet(SECRET_SUBKEY, b"x")].concat()), Err(Error::Secret));
        assert_eq!(keys(&packet(PUBLIC_KEY, &[3, 0, 0, 0, 0])), Err(Error::Version(3)));
        assert!(matches!(keys(&packet(PUBLIC_KEY, &[4, 0])), Err(Error::Packet { .. })));
    }

    #[test]
    fn a_fingerprint_is_known_however_it_is_written() {
        let key = keys(&public_key(1)).unwrap().remove(0);
        let spaced: Vec<_> =
            key.fingerprint.as_bytes().chunks(4).map(|four| str::from_utf8(four).unwrap()).collect();
        assert!(key.is(&spaced.join(" ").to_lowercase()) && key.is(&format!("0x{}", key.fingerprint)));
        assert!(!key.is(&key.fingerprint[1..]) && !key.is(""));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400), as_key in any::<bool>()) {
            let bytes = if as_key { [public_key(1), bytes].concat() } else { bytes };
            if let Ok(keyring) = crate::parse(&bytes) {
                prop_assert!(!keyring.keys.is_empty());
            }
        }

        #[test]
        fn a_signature_of_any_bytes_is_read_or_passed_over(body in proptest::collection::vec(any::<u8>(), 0..120)) {
            let key = [public_key(1), packet(SIGNATURE, &body)].concat();
            prop_assert_eq!(keys(&key).unwrap().len(), 1);
        }
    }
}
