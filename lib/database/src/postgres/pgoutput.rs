//! What the plug-in pgoutput says, in version 1 of its protocol.

use crate::{Error, Result};

/// One message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    Begin {
        /// Where its commit stands.
        commit_lsn: u64,
        /// Microseconds since 2000.
        at_us: i64,
        xid: u32,
    },
    Commit {
        /// Behind it: where to go on.
        end_lsn: u64,
    },
    Relation(Relation),
    Insert(u32, Tuple<'a>),
    Update(u32, Option<Old<'a>>, Tuple<'a>),
    Delete(u32, Old<'a>),
    Truncate(Vec<u32>),
    /// Origins, types.
    Other,
}

/// A table as it is from here on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Relation {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) columns: Vec<Part>,
}

/// A column of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) is_key: bool,
    pub(crate) name: String,
    pub(crate) oid: u32,
    /// What stands in brackets behind the type, in a form of its own; -1 for nothing.
    pub(crate) modifier: i32,
}

/// A row as it was: whole, or its key alone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Old<'a> {
    Key(Tuple<'a>),
    Whole(Tuple<'a>),
}

pub(crate) type Tuple<'a> = Vec<Value<'a>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Null,
    /// Kept outside of the row, and not touched by the change: the log has it not.
    Unchanged,
    Text(&'a [u8]),
}

/// Reads a message.
pub(crate) fn parse(bytes: &[u8]) -> Result<Message<'_>> {
    Bytes(bytes).message().ok_or_else(|| {
        let kind = bytes.first().map_or('?', |byte| char::from(*byte));
        Error::invalid(format!("a message `{kind}` of {} bytes of the slot cannot be read", bytes.len()))
    })
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn message(&mut self) -> Option<Message<'a>> {
        Some(match self.byte()? {
            b'B' => Message::Begin {
                commit_lsn: self.long()?,
                at_us: self.long()?.cast_signed(),
                xid: self.int()?,
            },
            b'C' => {
                self.take(9)?;
                Message::Commit { end_lsn: self.long()? }
            }
            b'R' => Message::Relation(self.relation()?),
            b'I' => {
                let oid = self.int()?;
                (self.byte()? == b'N').then_some(())?;
                Message::Insert(oid, self.tuple()?)
            }
            b'U' => {
                let oid = self.int()?;
                let mut mark = self.byte()?;
                let mut old = None;
                if mark != b'N' {
                    old = Some(self.old(mark)?);
                    mark = self.byte()?;
                }
                (mark == b'N').then_some(())?;
                Message::Update(oid, old, self.tuple()?)
            }
            b'D' => {
                let oid = self.int()?;
                let mark = self.byte()?;
                Message::Delete(oid, self.old(mark)?)
            }
            b'T' => {
                let count = self.int()?;
                self.byte()?;
                Message::Truncate((0..count).map(|_| self.int()).collect::<Option<_>>()?)
            }
            b'O' | b'Y' | b'M' => Message::Other,
            _ => return None,
        })
    }

    fn relation(&mut self) -> Option<Relation> {
        let (oid, schema, name) = (self.int()?, self.text()?, self.text()?);
        self.byte()?;
        let column = |bytes: &mut Self| {
            let is_key = bytes.byte()? & 1 == 1;
            let (name, oid, modifier) = (bytes.text()?, bytes.int()?, bytes.int()?.cast_signed());
            Some(Part { is_key, name, oid, modifier })
        };
        let count = self.short()?;
        let columns = (0..count).map(|_| column(self)).collect::<Option<_>>()?;
        Some(Relation { oid, schema, name, columns })
    }

    fn old(&mut self, mark: u8) -> Option<Old<'a>> {
        match mark {
            b'K' => Some(Old::Key(self.tuple()?)),
            b'O' => Some(Old::Whole(self.tuple()?)),
            _ => None,
        }
    }

    fn tuple(&mut self) -> Option<Tuple<'a>> {
        let count = self.short()?;
        let value = |bytes: &mut Self| match bytes.byte()? {
            b'n' => Some(Value::Null),
            b'u' => Some(Value::Unchanged),
            b't' => {
                let length = usize::try_from(bytes.int()?).ok()?;
                Some(Value::Text(bytes.take(length)?))
            }
            _ => None,
        };
        (0..count).map(|_| value(self)).collect()
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn short(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    fn int(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    fn long(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_be_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.take(end + 1)?;
        String::from_utf8(text[..end].to_vec()).ok()
    }
}

/// `16/B374D848`, as a number.
pub(crate) fn lsn(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    let part = |text| u32::from_str_radix(text, 16).ok().map(u64::from);
    Some(part(high)? << 32 | part(low)?)
}

/// A place in the log as the server writes it.
pub(crate) fn lsn_text(lsn: u64) -> String {
    format!("{:X}/{:X}", lsn >> 32, lsn & 0xffff_ffff)
}

/// Which transactions a snapshot saw: `xmin:xmax:xip,…` of `pg_current_snapshot`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Saw {
    /// From here on transactions had not begun.
    end: u32,
    /// Before it, these were not over.
    open: Vec<u32>,
}

impl Saw {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // The log writes the lower half of a transaction's number.
        let low = |text: &str| text.parse::<u64>().ok().and_then(|xid| u32::try_from(xid & 0xffff_ffff).ok());
        let mut parts = text.split(':');
        let (_, end, open) = (low(parts.next()?)?, low(parts.next()?)?, parts.next()?);
        let open = open.split(',').filter(|xid| !xid.is_empty()).map(low).collect::<Option<_>>()?;
        Some(Self { end, open })
    }

    pub(crate) fn sees(&self, xid: u32) -> bool {
        xid.wrapping_sub(self.end).cast_signed() < 0 && !self.open.contains(&xid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_snapshot_sees_what_was_over_before_it() {
        let saw = Saw::parse("731:736:731,733").unwrap();
        let seen: Vec<_> = (728..740).filter(|xid| saw.sees(*xid)).collect();
        assert_eq!(seen, [728, 729, 730, 732, 734, 735]);
        assert!(Saw::parse("10:10:").unwrap().open.is_empty());
        // Numbers begin anew after four thousand million.
        let saw = Saw::parse("4294967290:4294967298:4294967295").unwrap();
        assert!(saw.sees(0) && saw.sees(1) && !saw.sees(2) && !saw.sees(u32::MAX) && saw.sees(u32::MAX - 1));
        assert_eq!(Saw::parse("x"), None);
    }

    #[test]
    fn a_place_reads_back() {
        assert_eq!(lsn("16/B374D848"), Some(0x16_b374_d848));
        assert_eq!(lsn_text(0x16_b374_d848), "16/B374D848");
        assert_eq!(lsn("16"), None);
    }

    #[test]
    fn an_update_has_an_old_key_if_it_changed_and_marks_what_was_not_written() {
        let message = b"U\0\0\0\x07K\0\x02t\0\0\0\x01anN\0\x02t\0\0\0\x01bu";
        let old = Old::Key(vec![Value::Text(b"a"), Value::Null]);
        let new = vec![Value::Text(b"b"), Value::Unchanged];
        assert_eq!(parse(message).unwrap(), Message::Update(7, Some(old), new));
        assert!(parse(&message[..10]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
