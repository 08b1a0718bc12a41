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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    steps: Vec<Step>,
    end: Vec<u8>,
}

/// What stands before a value, which is no object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) between: Vec<u8>,
    /// The same as a number, with ones where it has bytes, if it has at most 16.
    pub(crate) masked: Option<(u128, u128)>,
    /// Where the value goes.
    pub(crate) slot: Option<usize>,
    /// How deep it lies.
    pub(crate) level: u32,
}

impl Shape {
    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What follows the last value.
    pub(crate) fn end(&self) -> &[u8] {
        &self.end
    }

    pub(crate) fn step(&mut self, between: &[u8], slot: Option<usize>, level: u32) {
        let padded = |byte: &dyn Fn(u8) -> u8| {
            let mut bytes = [0; 16];
            bytes.get_mut(..between.len())?.iter_mut().zip(between).for_each(|(to, from)| *to = byte(*from));
            Some(u128::from_le_bytes(bytes))
        };
        let masked = padded(&|byte| byte).zip(padded(&|_| u8::MAX));
        self.steps.push(Step { between: between.to_vec(), masked, slot, level });
    }

    pub(crate) fn finish(&mut self, end: &[u8]) {
        self.end = end.to_vec();
    }
}
