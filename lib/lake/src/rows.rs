//! Rows of a lake's files, as lines of JSON again.

use bytes::Bytes;
use ndjson::time;
use parquet::file::reader::SerializedFileReader;
use parquet::record::Field;
use parquet::record::reader::RowIter;

use crate::decimal;
use crate::schema::{Schema, Type};
use crate::{Error, File, Lake, Result};

/// The rows of a file.
pub struct Rows {
    schema: Schema,
    name: String,
    reader: RowIter<'static>,
    sha256: String,
}

impl Lake {
    /// The rows of a file of a topic.
    ///
    /// # Errors
    /// Fails if it cannot be read, or does not hold what its entry says.
    pub fn read(&self, topic: &str, file: &File) -> Result<Rows> {
        let wrong = |why: String| Error::Log { name: file.file.clone(), why };
        let Some((schema, _)) = self.table(topic)? else {
            return Err(wrong(format!("the lake knows no topic {topic}")));
        };
        let content = self.store.read(&file.file)?.ok_or_else(|| wrong("it is gone".to_owned()))?;
        if content.len() as u64 != file.bytes {
            return Err(wrong(format!("it has {} bytes, and not {}", content.len(), file.bytes)));
        }
        let sha256 = files::sha256_hex(&content);
        let reader = RowIter::from_file_into(Box::new(SerializedFileReader::new(Bytes::from(content))?));
        Ok(Rows { schema, name: file.file.clone(), reader, sha256 })
    }
}

impl Rows {
    /// The SHA-256 of the file, in hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Writes the next row; false if there is none.
    ///
    /// # Errors
    /// Fails if the file is broken.
    pub fn next(&mut self, line: &mut Vec<u8>) -> Result<bool> {
        let Some(row) = self.reader.next().transpose()? else { return Ok(false) };
        line.clear();
        line.push(b'{');
        for (name, field) in row.get_column_iter() {
            let of = self.schema.position(name).map(|at| self.schema.columns()[at].of);
            if line.len() > 1 {
                line.push(b',');
            }
            text(name, line);
            line.push(b':');
            write(of, field, line).ok_or_else(|| Error::Log {
                name: self.name.clone(),
                why: format!("column {name} is of another type than the lake says"),
            })?;
        }
        line.push(b'}');
        Ok(true)
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("name", &self.name).finish_non_exhaustive()
    }
}

fn text(text: &str, line: &mut Vec<u8>) {
    line.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
}

/// A value as the row had it; `None` if the column holds something else.
fn write(of: Option<Type>, field: &Field, line: &mut Vec<u8>) -> Option<()> {
    match (of?, field) {
        (_, Field::Null) => line.extend_from_slice(b"null"),
        (Type::Bool, Field::Bool(yes)) => line.extend_from_slice(if *yes { b"true" } else { b"false" }),
        (Type::Int, Field::Long(value)) => line.extend_from_slice(value.to_string().as_bytes()),
        (Type::Double, Field::Double(value)) => line.extend_from_slice(format!("{value:?}").as_bytes()),
        (Type::Decimal { scale, .. }, Field::Decimal(value)) => {
            let bytes = value.data();
            let negative = bytes.first().is_some_and(|byte| *byte >= 0x80);
            let start = if negative { -1 } else { 0 };
            let value = bytes.iter().fold(start, |value: i128, byte| (value << 8) | i128::from(*byte));
            line.extend_from_slice(decimal::written(value, scale).as_bytes());
        }
        (Type::Text, Field::Str(value)) => text(value, line),
        (Type::Json, Field::Str(value)) => line.extend_from_slice(value.as_bytes()),
        (Type::Timestamp, Field::TimestampMicros(micros)) => {
            let mut moment = String::new();
            time::write(*micros, &mut moment);
            text(&moment, line);
        }
        (Type::Date, Field::Date(days)) => {
            let mut moment = String::new();
            time::write(i64::from(*days) * time::DAY_US, &mut moment);
            text(moment.split('T').next().unwrap_or_default(), line);
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Table;

    #[test]
    fn rows_come_back_as_they_were() {
        let schema: Schema = serde_json::from_str(
            r#"{"i":"int","x":"decimal(10,2)","w":"decimal(38,10)","f":"double","b":"bool","s":"string",
            "t":"timestamp","d":"date","j":"json"}"#,
        )
        .unwrap();
        let row = r#"{"i":-7,"x":-1.50,"w":-1234567890123456789.5000000000,"f":1e-7,"b":true,"s":"é\n","t":"1970-01-01T00:00:00.000001Z","d":"1970-01-02","j":[1,{}]}"#;
        let empty = r#"{"i":null,"x":null,"w":null,"f":null,"b":null,"s":null,"t":null,"d":null,"j":null}"#;
        let table = Table::new(schema.clone(), Vec::new()).unwrap();
        let (file, _) = table.encode([row.as_bytes(), b"{}"]).unwrap();
        let reader = RowIter::from_file_into(Box::new(SerializedFileReader::new(Bytes::from(file)).unwrap()));
        let mut rows = Rows { schema, name: String::new(), reader, sha256: String::new() };
        let mut line = Vec::new();
        for want in [row, empty] {
            assert!(rows.next(&mut line).unwrap());
            assert_eq!(std::str::from_utf8(&line).unwrap(), want);
        }
        assert!(!rows.next(&mut line).unwrap());
    }
}
