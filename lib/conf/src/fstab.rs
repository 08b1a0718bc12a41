//! `/etc/fstab`: one line a file system, edited line by line.
//!
//! Read as libc's getmntent(3) reads it, since systemd-fstab-generator and
//! `swapon -a` go by that: fields are parted by blanks and tabs, `#` begins a
//! comment only as the first character of a line, `\040`, `\011`, `\012`,
//! `\134` and `\\` are the only escapes, and a carriage return is a character
//! like others. Bytes, not text: a path need not be UTF-8.

use std::ops::Range;

/// getmntent(3) looks at so many bytes of a line.
const LINE_BYTES: usize = 4095;

/// A file system table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fstab {
    bytes: Vec<u8>,
}

/// One file system, or one swap area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its line, from 1.
    pub line: u32,
    /// The device, file, `UUID=…` or remote directory, escapes undone.
    pub source: Vec<u8>,
    /// Where it is mounted; `none` or `swap` for swap.
    pub target: Vec<u8>,
    /// The file system's type.
    pub kind: Vec<u8>,
    /// Its options, as written.
    pub options: Vec<u8>,
    /// Where its line begins.
    start: usize,
}

impl Entry {
    /// Whether it is a swap area: its type is `swap`, wherever it claims to be mounted.
    pub fn is_swap(&self) -> bool {
        self.kind == b"swap"
    }
}

impl Fstab {
    /// Takes a table as it is; nothing in it can be wrong enough to refuse.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into() }
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it lists, in order.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        (1..)
            .zip(self.lines())
            .filter_map(|(line, range)| entry(&self.bytes[range.clone()], line, range.start))
    }

    /// Makes a comment of these entries: `mark` goes before what is on the
    /// line, and nothing else changes.
    pub fn comment(&mut self, entries: &[Entry], mark: &str) {
        let mut starts: Vec<usize> = entries.iter().map(|entry| entry.start).collect();
        starts.sort_unstable();
        for start in starts.into_iter().rev() {
            self.bytes.splice(start..start, mark.bytes());
        }
    }

    /// Where its lines are, without their newlines.
    fn lines(&self) -> impl Iterator<Item = Range<usize>> {
        let mut at = 0;
        self.bytes.split_inclusive(|byte| *byte == b'\n').map(move |line| {
            let start = at;
            at += line.len();
            start..at - usize::from(line.ends_with(b"\n"))
        })
    }
}

/// The entry a line holds, if it holds one.
fn entry(line: &[u8], number: u32, start: usize) -> Option<Entry> {
    let seen = &line[..line.len().min(LINE_BYTES)];
    let mut fields = seen.split(|byte| matches!(byte, b' ' | b'\t')).filter(|field| !field.is_empty());
    let source = fields.next().filter(|field| !field.starts_with(b"#"))?;
    let mut next = || fields.next().map(unescaped).unwrap_or_default();
    let (target, kind, options) = (next(), next(), next());
    Some(Entry { line: number, source: unescaped(source), target, kind, options, start })
}

fn unescaped(field: &[u8]) -> Vec<u8> {
    const ESCAPES: [(&[u8], u8); 5] =
        [(b"\\040", b' '), (b"\\011", b'\t'), (b"\\012", b'\n'), (b"\\\\", b'\\'), (b"\\134", b'\\')];
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some(first) = rest.first() {
        let escape = ESCAPES.iter().find(|(written, _)| rest.starts_with(written));
        let (length, byte) = escape.map_or((1, *first), |(written, byte)| (written.len(), *byte));
        plain.push(byte);
        rest = &rest[length..];
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn swaps(text: &str) -> Vec<(u32, String)> {
        let table = Fstab::new(text);
        let swaps = table.entries().filter(Entry::is_swap);
        swaps.map(|entry| (entry.line, String::from_utf8(entry.source).unwrap())).collect()
    }

    #[test]
    fn a_swap_area_is_known_by_its_type_alone() {
        let text = "# swap none swap sw\n\n\t/swap.img\tnone\tswap\tsw\t0\t0\n/dev/sdb1 /var/swap ext4 defaults 0 2\n\
                    UUID=1 swap swap # why\n/dev/x none swap\n/dev/y swap\nsshfs#u@h:/ /mnt fuse a,b 0 0\n";
        let found = swaps(text);
        assert_eq!(found, [(3, "/swap.img".into()), (5, "UUID=1".into()), (6, "/dev/x".into())]);
    }

    #[test]
    fn escapes_are_those_of_getmntent() {
        assert_eq!(swaps("/dev/vg-swap\\040lv none swap\n")[0].1, "/dev/vg-swap lv");
        assert_eq!(swaps("/a\\134\\011\\012\\\\\\141 none swap\n")[0].1, "/a\\\t\n\\\\141");
        assert!(swaps("/a none sw\\141p\n").is_empty());
    }

    #[test]
    fn a_carriage_return_belongs_to_the_last_field() {
        assert_eq!(swaps("/a none swap sw 0 0\r\n/b none swap\r\n"), [(1, "/a".into())]);
    }

    #[test]
    fn commenting_adds_the_mark_and_nothing_else() {
        let text = "UUID=x / ext4 defaults 0 1\r\n  /swapfile none swap sw 0 0\r\n/dev/sda2\tnone\tswap";
        let mut table = Fstab::new(text);
        let swaps: Vec<_> = table.entries().filter(Entry::is_swap).collect();
        table.comment(&swaps, "#off# ");
        let after =
            "UUID=x / ext4 defaults 0 1\r\n#off#   /swapfile none swap sw 0 0\r\n#off# /dev/sda2\tnone\tswap";
        assert_eq!(str::from_utf8(table.as_bytes()).unwrap(), after);
        assert!(!table.entries().any(|entry| entry.is_swap()));
    }

    proptest! {
        #[test]
        fn commented_swap_is_gone_and_every_other_entry_stays(
            text in "([ \t]{0,2}(#|/s|UUID=1|a\\\\040b)?([ \t]{1,2}(none|/|swap|ext4|sw|0)){0,5}(\r?\n|\n\n)){0,12}(/s none swap)?"
        ) {
            let before = Fstab::new(text.clone());
            let (swaps, others): (Vec<_>, Vec<_>) = before.entries().partition(Entry::is_swap);
            let mut after = before.clone();
            after.comment(&swaps, "#off# ");
            let left: Vec<_> = after.entries().map(|entry| (entry.line, entry.source, entry.kind)).collect();
            let kept: Vec<_> = others.into_iter().map(|entry| (entry.line, entry.source, entry.kind)).collect();
            prop_assert_eq!(left, kept);
            prop_assert_eq!(String::from_utf8(after.bytes).unwrap().replace("#off# ", ""), text);
        }

        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let table = Fstab::new(bytes.clone());
            prop_assert!(table.entries().count() <= bytes.len());
            prop_assert_eq!(table.as_bytes(), bytes);
        }
    }
}
