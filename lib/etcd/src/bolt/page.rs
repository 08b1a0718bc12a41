//! One page of a tree.

use super::{Damage, ReadAt};

const HEADER_BYTES: u64 = 16;
const ELEMENT_BYTES: u64 = 16;
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const BUCKET: u32 = 0x01;
/// No key of etcd's own buckets is longer; bolt allows 32 KiB.
const KEY_BYTES: u32 = 32 << 10;

/// A page and those that continue it.
pub(super) struct Page {
    pub(super) number: u64,
    pub(super) count: u16,
    pub(super) overflow: u64,
    flags: u16,
    /// The first of its pages; what lies in the others is read when it is asked for.
    bytes: Vec<u8>,
    offset: u64,
    length: u64,
}

/// One entry of a page.
pub(super) struct Element {
    /// Of a branch: the page it leads to.
    pub(super) child: u64,
    /// Of a leaf: whether the value is a bucket.
    pub(super) is_bucket: bool,
    /// Where its key begins in the page.
    key: u64,
    key_bytes: u32,
    value_bytes: u32,
}

impl Page {
    /// Reads a page and checks that it is one, of a tree, with room for what it claims to hold.
    pub(super) fn read<F: ReadAt + ?Sized>(
        file: &F,
        number: u64,
        page_bytes: u64,
        pages: u64,
    ) -> Result<Self, Damage> {
        let wrong = |why| Damage::Page { page: number, why };
        if !(2..pages).contains(&number) {
            return Err(wrong("outside of the database"));
        }
        let offset = number * page_bytes;
        let mut bytes = vec![0; usize::try_from(page_bytes).unwrap_or_default()];
        file.read_exact_at(&mut bytes, offset)?;
        let id = u64_at(&bytes, 0).unwrap_or_default();
        let flags = u16_at(&bytes, 8).unwrap_or_default();
        let count = u16_at(&bytes, 10).unwrap_or_default();
        let overflow = u64::from(u32_at(&bytes, 12).unwrap_or_default());
        if id != number {
            return Err(wrong("says it is another page"));
        }
        if flags != BRANCH && flags != LEAF {
            return Err(wrong("neither branch nor leaf"));
        }
        if number + overflow >= pages {
            return Err(wrong("goes on behind the end of the database"));
        }
        let length = (overflow + 1) * page_bytes;
        if HEADER_BYTES + u64::from(count) * ELEMENT_BYTES > length {
            return Err(wrong("has more elements than room"));
        }
        Ok(Self { number, count, overflow, flags, bytes, offset, length })
    }

    pub(super) fn is_branch(&self) -> bool {
        self.flags == BRANCH
    }

    /// One of its elements, in order.
    pub(super) fn element<F: ReadAt + ?Sized>(&self, file: &F, index: u16) -> Result<Element, Damage> {
        let at = HEADER_BYTES + u64::from(index) * ELEMENT_BYTES;
        let raw = self.bytes(file, at, 16)?;
        let word = |at: usize| u32_at(&raw, at).unwrap_or_default();
        let element = if self.is_branch() {
            let child = u64_at(&raw, 8).unwrap_or_default();
            Element {
                child,
                is_bucket: false,
                key: at + u64::from(word(0)),
                key_bytes: word(4),
                value_bytes: 0,
            }
        } else {
            Element {
                child: 0,
                is_bucket: word(0) & BUCKET != 0,
                key: at + u64::from(word(4)),
                key_bytes: word(8),
                value_bytes: word(12),
            }
        };
        if element.key + u64::from(element.key_bytes) + u64::from(element.value_bytes) > self.length {
            return Err(self.wrong("an element reaches behind its end"));
        }
        Ok(element)
    }

    pub(super) fn key<F: ReadAt + ?Sized>(&self, file: &F, element: &Element) -> Result<Vec<u8>, Damage> {
        if element.key_bytes > KEY_BYTES {
            return Err(self.wrong("a key longer than bolt allows"));
        }
        self.bytes(file, element.key, element.key_bytes)
    }

    /// The root page of a bucket; if that is 0, the number of keys of the leaf in its value.
    pub(super) fn bucket<F: ReadAt + ?Sized>(
        &self,
        file: &F,
        element: &Element,
    ) -> Result<(u64, u16), Damage> {
        let short = || self.wrong("a bucket without a header");
        let value =
            self.bytes(file, element.key + u64::from(element.key_bytes), element.value_bytes.min(32))?;
        let root = u64_at(&value, 0).filter(|_| value.len() >= 16).ok_or_else(short)?;
        let inline = if root == 0 { u16_at(&value, 26).ok_or_else(short)? } else { 0 };
        Ok((root, inline))
    }

    /// Bytes of the page, which it has: of the part that was read, or of the file.
    fn bytes<F: ReadAt + ?Sized>(&self, file: &F, at: u64, length: u32) -> Result<Vec<u8>, Damage> {
        let (start, length) = (usize::try_from(at).unwrap_or(usize::MAX), length as usize);
        if let Some(found) = self.bytes.get(start..).and_then(|rest| rest.get(..length)) {
            return Ok(found.to_vec());
        }
        let mut found = vec![0; length];
        file.read_exact_at(&mut found, self.offset + at)?;
        Ok(found)
    }

    fn wrong(&self, why: &'static str) -> Damage {
        Damage::Page { page: self.number, why }
    }
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|chunk| u16::from_le_bytes(*chunk))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_le_bytes(*chunk))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}
