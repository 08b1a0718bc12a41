//! Hardware addresses.

use std::fmt;

/// An Ethernet hardware address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Whether it can be one station's: neither all zero nor a group address.
    pub fn is_station(self) -> bool {
        self.0 != [0; 6] && self.0[0] & 1 == 0
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, octet) in self.0.iter().enumerate() {
            write!(f, "{}{octet:02x}", if number == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_ip_writes_it() {
        assert_eq!(Mac([0x52, 0x54, 0, 0x0a, 0x34, 0x56]).to_string(), "52:54:00:0a:34:56");
    }

    #[test]
    fn groups_and_nobody_are_no_stations() {
        assert!(!Mac([0xff; 6]).is_station());
        assert!(!Mac([0x33, 0x33, 0, 0, 0, 1]).is_station());
        assert!(!Mac([0; 6]).is_station());
        assert!(Mac([0x52, 0x54, 0, 0, 0, 1]).is_station());
    }
}
