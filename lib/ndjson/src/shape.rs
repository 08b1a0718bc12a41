//! What lines have in common with the ones before them.
//!
//! Those who write rows write the same names in the same order, row after row. So what stands
//! between the values is remembered from one line, and only compared in the next.

/// What lines have had in common so far, for [`Fields::first`](crate::Fields::first).
#[derive(Clone, Debug, Default)]
pub struct Habit {
    pub(crate) shape: Option<Shape>,
    /// How many lines looked otherwise.
    others: u64,
}

impl Habit {
    /// A line looks otherwise: whether to remember it in place of the one before. Seldomer
    /// and seldomer, so that lines which have no shape in common cost little.
    pub(crate) fn is_new(&mut self) -> bool {
        self.others += 1;
        self.others.is_power_of_two()
    }
}

/// All of a line but its values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    pub(crate) steps: Vec<Step>,
    /// What follows the last value, the line's end included.
    pub(crate) end: Literal,
}

/// What stands before a value, which is no object.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) between: Literal,
    /// Where the value goes.
    pub(crate) slot: Option<usize>,
    /// How deep it lies.
    pub(crate) level: u32,
}

/// Bytes that are expected.
#[derive(Clone, Debug, Default)]
pub(crate) struct Literal {
    bytes: Vec<u8>,
    /// The same as numbers, with ones where it has bytes, if it has at most 32.
    words: Option<[(u128, u128); 2]>,
}

impl Literal {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let word = |from: usize, byte: fn(u8) -> u8| {
            let mut word = [0; 16];
            word.iter_mut().zip(bytes.iter().skip(from)).for_each(|(to, from)| *to = byte(*from));
            u128::from_le_bytes(word)
        };
        let masked = |from| (word(from, |byte| byte), word(from, |_| u8::MAX));
        Self { bytes: bytes.to_vec(), words: (bytes.len() <= 32).then(|| [masked(0), masked(16)]) }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether a text is all of it but the last byte.
    pub(crate) fn is_all_but_one(&self, text: &[u8]) -> bool {
        self.bytes.split_last().is_some_and(|(_, most)| text == most)
    }

    /// Whether a text begins with it.
    #[inline]
    pub(crate) fn begins(&self, text: &[u8]) -> bool {
        let (Some([one, other]), Some((low, rest))) = (self.words, text.split_first_chunk()) else {
            return text.starts_with(&self.bytes);
        };
        let Some(high) = rest.first_chunk() else { return text.starts_with(&self.bytes) };
        let same = |word: &[u8; 16], (expected, mask)| u128::from_le_bytes(*word) & mask == expected;
        same(low, one) & same(high, other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_begins_with_what_it_begins_with() {
        let text: Vec<u8> = (b'0'..b'~').collect();
        for length in 0..50 {
            let literal = Literal::new(&text[..length]);
            assert!((length..60).all(|upto| literal.begins(&text[..upto])), "{length}");
            assert!((0..length).all(|upto| !literal.begins(&text[..upto])), "{length}");
            for at in 0..60 {
                let mut other = text.clone();
                other[at] = b' ';
                assert_eq!(literal.begins(&other), at >= length, "{length} {at}");
            }
        }
    }
}
