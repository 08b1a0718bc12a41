//! Rows turned into columns, until a row group is written.

use std::io::Write;

use bytes::Bytes;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, Int32Type,
    Int64Type,
};
use parquet::file::writer::SerializedFileWriter;

use crate::Result;
use crate::cell::Cell;
use crate::schema::{Schema, Type};

/// The columns of rows that are not written yet.
#[derive(Debug)]
pub(crate) struct Columns {
    each: Vec<Column>,
    pub(crate) rows: u64,
    pub(crate) bytes: usize,
}

#[derive(Debug)]
struct Column {
    values: Values,
    /// 1 where there is a value, 0 where there is none.
    levels: Vec<i16>,
}

#[derive(Debug)]
enum Values {
    Bool(Vec<bool>),
    Long(Vec<i64>),
    Short(Vec<i32>),
    Double(Vec<f64>),
    Wide(Vec<i128>),
    Text { bytes: Vec<u8>, ends: Vec<usize> },
}

impl Columns {
    pub(crate) fn new(schema: &Schema) -> Self {
        let column = |of: Type| Column { values: Values::of(of), levels: Vec::new() };
        Self { each: schema.columns().iter().map(|c| column(c.of)).collect(), rows: 0, bytes: 0 }
    }

    /// Takes a row, one cell a column.
    #[inline]
    pub(crate) fn push(&mut self, cells: &[Cell]) {
        for (column, cell) in self.each.iter_mut().zip(cells) {
            column.levels.push(i16::from(!matches!(cell, Cell::Null)));
            self.bytes += 2 + column.values.push(cell);
        }
        self.rows += 1;
    }

    /// Writes all rows as one row group and forgets them.
    pub(crate) fn write<W: Write + Send>(&mut self, to: &mut SerializedFileWriter<W>) -> Result<()> {
        let mut group = to.next_row_group()?;
        for column in &mut self.each {
            if let Some(mut writer) = group.next_column()? {
                let levels = Some(&*column.levels);
                match &mut column.values {
                    Values::Bool(values) => writer.typed::<BoolType>().write_batch(values, levels, None),
                    Values::Long(values) => writer.typed::<Int64Type>().write_batch(values, levels, None),
                    Values::Short(values) => writer.typed::<Int32Type>().write_batch(values, levels, None),
                    Values::Double(values) => writer.typed::<DoubleType>().write_batch(values, levels, None),
                    Values::Wide(values) => {
                        let wide = |value: &i128| {
                            FixedLenByteArray::from(ByteArray::from(value.to_be_bytes().to_vec()))
                        };
                        let values: Vec<_> = values.iter().map(wide).collect();
                        writer.typed::<FixedLenByteArrayType>().write_batch(&values, levels, None)
                    }
                    Values::Text { bytes, ends } => {
                        let all = Bytes::from(std::mem::take(bytes));
                        let mut start = 0;
                        let text = |end: &usize| {
                            let text = all.slice(start..*end);
                            start = *end;
                            ByteArray::from(text)
                        };
                        let values: Vec<_> = ends.iter().map(text).collect();
                        writer.typed::<ByteArrayType>().write_batch(&values, levels, None)
                    }
                }?;
                writer.close()?;
            }
            column.levels.clear();
            column.values.clear();
        }
        group.close()?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}

impl Values {
    fn of(of: Type) -> Self {
        match of {
            Type::Bool => Self::Bool(Vec::new()),
            Type::Int | Type::Timestamp | Type::Decimal { precision: ..=18, .. } => Self::Long(Vec::new()),
            Type::Date => Self::Short(Vec::new()),
            Type::Double => Self::Double(Vec::new()),
            Type::Decimal { .. } => Self::Wide(Vec::new()),
            Type::Text | Type::Json => Self::Text { bytes: Vec::new(), ends: Vec::new() },
        }
    }

    /// Takes a value if there is one; how many bytes that are.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a cell fits its column: Cell::of saw to it")]
    fn push(&mut self, cell: &Cell) -> usize {
        match (self, cell) {
            (Self::Bool(values), Cell::Bool(value)) => {
                values.push(*value);
                1
            }
            (Self::Long(values), Cell::Int(value)) => {
                values.push(*value);
                8
            }
            (Self::Long(values), Cell::Decimal(value)) => {
                values.push(*value as i64);
                8
            }
            (Self::Short(values), Cell::Int(value)) => {
                values.push(*value as i32);
                4
            }
            (Self::Double(values), Cell::Double(value)) => {
                values.push(*value);
                8
            }
            (Self::Wide(values), Cell::Decimal(value)) => {
                values.push(*value);
                16
            }
            (Self::Text { bytes, ends }, Cell::Text(value)) => {
                bytes.extend_from_slice(value.as_bytes());
                ends.push(bytes.len());
                8 + value.len()
            }
            _ => 0,
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Bool(values) => values.clear(),
            Self::Long(values) => values.clear(),
            Self::Short(values) => values.clear(),
            Self::Double(values) => values.clear(),
            Self::Wide(values) => values.clear(),
            Self::Text { bytes, ends } => {
                bytes.clear();
                ends.clear();
            }
        }
    }
}
