//! Whether a file is a whole bolt database, and what etcd keeps in it.
//!
//! ```text
//! file     page 0 and 1: meta, the one with the higher transaction counts; then pages of trees
//! page     id u64 | flags u16 | count u16 | overflow u32 | elements
//! meta     magic u32 | version u32 | page size u32 | flags u32 | root page u64 | sequence u64 |
//!          free list u64 | pages u64 | transaction u64 | FNV-1a of the above u64
//! branch   position u32 | key length u32 | page u64
//! leaf     flags u32 | position u32 | key length u32 | value length u32
//! bucket   the value of a leaf with flag 1: root page u64 | sequence u64 | a page, if the root is 0
//! ```
//!
//! Little-endian, as bolt writes on the machines etcd runs on. Positions
//! count from the element they stand in. Every page of the trees is visited
//! once; values are not read, so it takes a small part of the time of a hash.

use std::io;

mod page;

use page::{Element, Page};

const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;
/// The hash of the meta page stands behind so many of its bytes.
const META_BYTES: usize = 56;

/// What a whole database holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// The size of its pages, bytes.
    pub page_bytes: u64,
    /// How many pages it has.
    pub pages: u64,
    /// How many of them its trees use.
    pub used_pages: u64,
    /// The revision of the last change in etcd's key space; `None` if it has none.
    pub revision: Option<u64>,
    /// The keys of all buckets together, as `etcdctl snapshot status` counts them.
    pub keys: u64,
}

/// Why it is none.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// The file cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Neither meta page is one.
    #[error("no bolt database: {0}")]
    Meta(&'static str),
    /// The file is not as long as its meta page says.
    #[error("{bytes} bytes, but its meta page says {pages} pages of {page_bytes} bytes")]
    Length {
        /// The database in the file, bytes.
        bytes: u64,
        /// The pages it should have.
        pages: u64,
        /// Their size, bytes.
        page_bytes: u64,
    },
    /// A page is not what those that lead to it expect.
    #[error("page {page}: {why}")]
    Page {
        /// Its number.
        page: u64,
        /// What is wrong.
        why: &'static str,
    },
}

/// Reads exactly so many bytes at an offset.
pub trait ReadAt {
    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// Fails if there is less.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for std::fs::File {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, offset)
    }
}

impl ReadAt for [u8] {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).ok();
        let found = start.and_then(|start| self.get(start..)?.get(..buffer.len()));
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Checks the first `bytes` of a file: meta pages, length, and every page of every bucket.
///
/// # Errors
/// Says what is wrong with it.
pub fn check<F: ReadAt + ?Sized>(file: &F, bytes: u64) -> Result<Database, Damage> {
    let meta = meta(file)?;
    if meta.pages.checked_mul(meta.page_bytes) != Some(bytes) {
        return Err(Damage::Length { bytes, pages: meta.pages, page_bytes: meta.page_bytes });
    }
    let mut walk =
        Walk { file, meta, seen: vec![0; seen_bytes(meta.pages)], used: 2, keys: 0, revision: None };
    walk.bucket(meta.root, Bucket::Root)?;
    Ok(Database {
        page_bytes: meta.page_bytes,
        pages: meta.pages,
        used_pages: walk.used,
        revision: walk.revision,
        keys: walk.keys,
    })
}

/// Whether a file begins as a bolt database does, whole or not.
pub fn is_one<F: ReadAt + ?Sized>(file: &F) -> bool {
    let mut magic = [0; 4];
    file.read_exact_at(&mut magic, 16).is_ok() && u32::from_le_bytes(magic) == MAGIC
}

/// A bit a page. `pages` is no more than the file has.
fn seen_bytes(pages: u64) -> usize {
    usize::try_from(pages / 8 + 1).unwrap_or(usize::MAX)
}

#[derive(Clone, Copy, Debug)]
struct Meta {
    page_bytes: u64,
    root: u64,
    pages: u64,
    transaction: u64,
}

/// The valid meta page of the later transaction. Where the second one lies
/// depends on the page size, which only the first one tells if it is whole.
fn meta<F: ReadAt + ?Sized>(file: &F) -> Result<Meta, Damage> {
    let at = |offset: u64| {
        let mut page = [0; 16 + META_BYTES + 8];
        file.read_exact_at(&mut page, offset).map_err(|_| "too short")?;
        parse_meta(&page[16..])
    };
    let first = at(0);
    let sizes = first.as_ref().map_or_else(|_| vec![4096, 8192, 16384, 65536], |meta| vec![meta.page_bytes]);
    let second = sizes.into_iter().find_map(|size| at(size).ok().filter(|meta| meta.page_bytes == size));
    let valid = first.as_ref().ok().into_iter().copied().chain(second);
    match (valid.max_by_key(|meta| meta.transaction), first) {
        (Some(meta), _) => Ok(meta),
        (None, first) => Err(Damage::Meta(first.err().unwrap_or("no meta page"))),
    }
}

fn parse_meta(meta: &[u8]) -> Result<Meta, &'static str> {
    let word = |at: usize| page::u32_at(meta, at).unwrap_or_default();
    let long = |at: usize| page::u64_at(meta, at).unwrap_or_default();
    if word(0) != MAGIC {
        return Err("another magic number");
    }
    if word(4) != VERSION {
        return Err("another version of the format");
    }
    if long(META_BYTES) != fnv1a(&meta[..META_BYTES]) {
        return Err("the checksum of the meta page is wrong");
    }
    let page_bytes = u64::from(word(8));
    if !page_bytes.is_power_of_two() || !(512..=1 << 20).contains(&page_bytes) {
        return Err("no page size");
    }
    Ok(Meta { page_bytes, root: long(16), pages: long(40), transaction: long(48) })
}

fn fnv1a(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// What a bucket means to etcd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bucket {
    /// The one that holds the others.
    Root,
    /// `key`: every revision of every key.
    Revisions,
    /// Any other.
    Other,
}

struct Walk<'a, F: ?Sized> {
    file: &'a F,
    meta: Meta,
    /// A bit a page that was visited.
    seen: Vec<u8>,
    used: u64,
    keys: u64,
    revision: Option<u64>,
}

impl<F: ReadAt + ?Sized> Walk<'_, F> {
    fn bucket(&mut self, root: u64, bucket: Bucket) -> Result<(), Damage> {
        let mut ahead = vec![(root, bucket)];
        while let Some((number, bucket)) = ahead.pop() {
            let page = Page::read(self.file, number, self.meta.page_bytes, self.meta.pages)?;
            self.visit(&page)?;
            if page.is_branch() {
                for index in 0..page.count {
                    let Element { child, .. } = page.element(self.file, index)?;
                    ahead.push((child, bucket));
                }
                continue;
            }
            self.leaf(&page, bucket, &mut ahead)?;
        }
        Ok(())
    }

    fn leaf(&mut self, page: &Page, bucket: Bucket, ahead: &mut Vec<(u64, Bucket)>) -> Result<(), Damage> {
        if bucket != Bucket::Root {
            self.keys += u64::from(page.count);
        }
        for index in 0..page.count {
            let element = page.element(self.file, index)?;
            if element.is_bucket {
                let kind = match bucket {
                    Bucket::Root if page.key(self.file, &element)? == b"key" => Bucket::Revisions,
                    _ => Bucket::Other,
                };
                let (root, inline) = page.bucket(self.file, &element)?;
                match root {
                    // An inline bucket is a small leaf without pages of its own.
                    0 => self.keys += u64::from(inline),
                    root => ahead.push((root, kind)),
                }
            } else if bucket == Bucket::Revisions && index + 1 == page.count {
                // A key of etcd's is a revision: eight bytes, an underscore, eight more.
                let key = page.key(self.file, &element)?;
                let main = key.first_chunk().map(|main| u64::from_be_bytes(*main));
                self.revision = self.revision.max(main);
            }
        }
        Ok(())
    }

    fn visit(&mut self, page: &Page) -> Result<(), Damage> {
        for number in page.number..=page.number + page.overflow {
            // In range: `Page::read` has seen to it.
            let Some(byte) = usize::try_from(number / 8).ok().and_then(|at| self.seen.get_mut(at)) else {
                continue;
            };
            let bit = 1 << (number % 8);
            if *byte & bit != 0 {
                return Err(Damage::Page { page: number, why: "two ways lead to it" });
            }
            *byte |= bit;
            self.used += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
