//! What rows become: columns, and folders by their values.

use std::fmt::Write;
use std::sync::Arc;

use ndjson::{Value, time};
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type as Node;
use pipeline::{Partition, PartitionOf};

use crate::cell::Cell;
use crate::columns::Columns;
use crate::decimal;
use crate::schema::{Schema, Type};
use crate::{Error, Result};

/// The columns and folders of a topic.
#[derive(Debug)]
pub struct Table {
    pub(crate) schema: Schema,
    pub(crate) folders: Vec<Partition>,
    /// Where each folder's value comes from; `None` is the topic.
    sources: Vec<Option<usize>>,
    pub(crate) node: Arc<Node>,
    pub(crate) properties: Arc<WriterProperties>,
}

/// A folder's value where the row has none.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

impl Table {
    /// Rows of these columns, in these folders.
    ///
    /// # Errors
    /// Fails if a folder is of a column there is not, or of one that makes none.
    pub fn new(schema: Schema, folders: Vec<Partition>) -> Result<Self> {
        let sources = folders.iter().map(|folder| source(folder, &schema)).collect::<Result<_>>()?;
        let fields = schema.columns().iter().map(|column| node(&column.name, column.of));
        let fields = fields.collect::<Result<_>>()?;
        let node = Node::group_type_builder("row").with_fields(fields).build()?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_created_by("bareplane".to_owned())
            .build();
        Ok(Self { schema, folders, sources, node: Arc::new(node), properties: Arc::new(properties) })
    }

    /// One Parquet file of those of the rows that fit, wherever they belong, and how many these are.
    ///
    /// # Errors
    /// Fails if they cannot be encoded.
    pub fn encode<'a>(&self, rows: impl IntoIterator<Item = &'a [u8]>) -> Result<(Vec<u8>, u64)> {
        let (node, properties) = (Arc::clone(&self.node), Arc::clone(&self.properties));
        let mut writer = SerializedFileWriter::new(Vec::new(), node, properties)?;
        let mut columns = Columns::new(&self.schema);
        let mut folder = String::new();
        for row in rows {
            let mut found = vec![Value::Missing; self.schema.columns().len()];
            let mut cells = vec![Cell::Null; found.len()];
            if self.cells(row, &mut found, &mut cells).is_ok()
                && self.folder("t", &cells, &mut folder).is_ok()
            {
                columns.push(&cells);
            }
        }
        let count = columns.rows;
        columns.write(&mut writer)?;
        Ok((writer.into_inner()?, count))
    }

    /// The folder of a row, below the lake, with a slash at its end.
    pub(crate) fn folder(
        &self,
        topic: &str,
        cells: &[Cell],
        to: &mut String,
    ) -> std::result::Result<(), String> {
        to.clear();
        for (folder, source) in self.folders.iter().zip(&self.sources) {
            let _ = write!(to, "{}=", folder.name);
            let start = to.len();
            match source {
                None => escape(topic, to),
                Some(at) => value(&folder.of, &cells[*at], self.schema.columns()[*at].of, to),
            }
            // Names of folders end at 255 bytes on most file systems.
            if to.len() - start > 200 {
                return Err("too long for the name of a folder".to_owned());
            }
            to.push('/');
        }
        Ok(())
    }
}

fn value(folder: &PartitionOf, cell: &Cell, of: Type, to: &mut String) {
    match (cell, of) {
        (Cell::Null, _) => to.push_str(NULL),
        (Cell::Text(text), _) if text.is_empty() => to.push_str(NULL),
        (Cell::Text(text), _) => escape(text, to),
        (Cell::Bool(yes), _) => to.push_str(if *yes { "true" } else { "false" }),
        (Cell::Int(days), Type::Date) => moment(days * time::DAY_US, false, to),
        (Cell::Int(micros), Type::Timestamp) => moment(*micros, matches!(folder, PartitionOf::Hour(_)), to),
        (Cell::Decimal(value), Type::Decimal { scale, .. }) => to.push_str(&decimal::written(*value, scale)),
        (Cell::Int(value), _) => to.push_str(&value.to_string()),
        // Table::new has refused them.
        (Cell::Decimal(_) | Cell::Double(_), _) => {}
    }
}

/// A time's day, and its hour if that is wanted.
fn moment(micros: i64, hour: bool, to: &mut String) {
    let mut text = String::new();
    time::write(micros, &mut text);
    let (day, rest) = text.split_once('T').unwrap_or((&text, ""));
    to.push_str(day);
    if hour {
        let _ = write!(to, "-{}", &rest[..2]);
    }
}

fn source(folder: &Partition, schema: &Schema) -> Result<Option<usize>> {
    let field = match &folder.of {
        PartitionOf::Topic => return Ok(None),
        PartitionOf::Field(field) | PartitionOf::Day(field) | PartitionOf::Hour(field) => field,
    };
    let wrong = |why: String| Err(Error::Partition(format!("folders by {folder}: {why}")));
    let Some(place) = schema.position(field) else {
        let names: Vec<_> = schema.columns().iter().map(|column| &*column.name).collect();
        return wrong(format!("there is no column {field}; there are: {}", names.join(", ")));
    };
    let of = schema.columns()[place].of;
    let fits = match &folder.of {
        PartitionOf::Hour(_) => of == Type::Timestamp,
        PartitionOf::Day(_) => matches!(of, Type::Timestamp | Type::Date),
        // Times would be folders of a row each; doubles are not exact; JSON has many forms.
        _ => !matches!(of, Type::Timestamp | Type::Double | Type::Json),
    };
    if fits { Ok(Some(place)) } else { wrong(format!("{field} holds {of}")) }
}

fn node(name: &str, of: Type) -> Result<Arc<Node>> {
    let (physical, logical) = match of {
        Type::Bool => (Physical::BOOLEAN, None),
        Type::Int => (Physical::INT64, None),
        Type::Double => (Physical::DOUBLE, None),
        Type::Decimal { precision, scale } => (
            if precision > 18 { Physical::FIXED_LEN_BYTE_ARRAY } else { Physical::INT64 },
            Some(LogicalType::decimal(i32::from(scale), i32::from(precision))),
        ),
        Type::Text | Type::Json => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Type::Timestamp => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        Type::Date => (Physical::INT32, Some(LogicalType::Date)),
    };
    let mut builder = Node::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical);
    if let Type::Decimal { precision, scale } = of {
        builder = builder.with_precision(i32::from(precision)).with_scale(i32::from(scale));
        if precision > 18 {
            builder = builder.with_length(16);
        }
    }
    Ok(Arc::new(builder.build()?))
}

/// As Hive writes values into the names of folders.
fn escape(text: &str, to: &mut String) {
    for c in text.chars() {
        let special = matches!(
            c,
            '"' | '#' | '%' | '\'' | '*' | '/' | ':' | '=' | '?' | '\\' | '{' | '}' | '[' | ']' | '^'
        );
        if c.is_ascii_control() || special {
            let _ = write!(to, "%{:02X}", u32::from(c));
        } else {
            to.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(columns: &str, folders: &[&str], row: &str) -> std::result::Result<String, String> {
        let schema: Schema = serde_json::from_str(columns).unwrap();
        let folders = folders.iter().map(|text| text.parse().unwrap()).collect();
        let table = Table::new(schema, folders).map_err(|error| error.to_string())?;
        let mut cells = vec![Cell::Null; table.schema.columns().len()];
        ndjson::each(row.as_bytes(), |name, value| {
            let place = table.schema.position(&name.plain()).unwrap();
            cells[place] = Cell::of(value, table.schema.columns()[place].of).unwrap();
        })
        .unwrap();
        let mut to = String::new();
        table.folder("P", &cells, &mut to).map(|()| to)
    }

    #[test]
    fn folders_are_named_as_hive_does() {
        let columns =
            r#"{"ts":"timestamp","d":"date","c":"string","n":"int","x":"decimal(10,2)","b":"bool"}"#;
        for (folders, row, want) in [
            (vec!["topic", "dt=day(ts)"], r#"{"ts":"2026-01-31T23:30:00-01:00"}"#, "topic=P/dt=2026-02-01/"),
            (vec!["h=hour(ts)"], r#"{"ts":"2026-01-31T23:30:00Z"}"#, "h=2026-01-31-23/"),
            (vec!["c"], r#"{"c":"a/b=c%é.."}"#, "c=a%2Fb%3Dc%25é../"),
            (vec!["c"], r#"{"c":""}"#, "c=__HIVE_DEFAULT_PARTITION__/"),
            (
                vec!["k=n", "x", "b", "d"],
                r#"{"n":-7,"x":1.5,"b":true,"d":"2026-01-02"}"#,
                "k=-7/x=1.50/b=true/d=2026-01-02/",
            ),
            (vec!["dt=day(d)", "n"], r"{}", "dt=__HIVE_DEFAULT_PARTITION__/n=__HIVE_DEFAULT_PARTITION__/"),
            (vec![], r"{}", ""),
        ] {
            assert_eq!(folder(columns, &folders, row).as_deref(), Ok(want), "{row}");
        }
        let long = format!(r#"{{"c":"{}"}}"#, "x".repeat(201));
        assert!(folder(columns, &["c"], &long).is_err());
    }

    #[test]
    fn parquets_own_reader_finds_what_was_written() {
        use parquet::file::reader::{FileReader, SerializedFileReader};
        let columns = r#"{"i":"int","x":"decimal(10,2)","w":"decimal(38,10)","f":"double","b":"bool","s":"string",
            "t":"timestamp","d":"date","j":"json"}"#;
        let table = Table::new(serde_json::from_str(columns).unwrap(), Vec::new()).unwrap();
        let rows = [
            r#"{"i":-7,"x":-1.5,"w":1234567890123456789.5,"f":1e-7,"b":true,"s":"é\n","t":"1970-01-01T00:00:00.000001Z","d":"1970-01-02","j":[1,{}]}"#,
            "{}",
            "broken",
            r#"{"i":9223372036854775807,"s":""}"#,
        ];
        let (file, count) = table.encode(rows.map(str::as_bytes)).unwrap();
        assert_eq!(count, 3);
        let reader = SerializedFileReader::new(bytes::Bytes::from(file)).unwrap();
        let found: Vec<_> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        assert_eq!(found.len(), 3);
        for part in [
            "i: -7",
            "x: -1.50",
            "w: 1234567890123456789.5000000000",
            "b: true",
            "s: \"é\n\"",
            "j: \"[1,{}]\"",
        ] {
            assert!(found[0].contains(part), "{part} in {}", found[0]);
        }
        assert!(found[1].contains("i: null, x: null"), "{}", found[1]);
        assert!(found[2].contains("i: 9223372036854775807") && found[2].contains("s: \"\""), "{}", found[2]);
    }

    #[test]
    fn a_folder_of_what_makes_none_is_refused() {
        let told =
            |folder_of: &str| folder(r#"{"ts":"timestamp","s":"string"}"#, &[folder_of], "{}").unwrap_err();
        assert_eq!(told("x"), "folders by x: there is no column x; there are: ts, s");
        assert_eq!(told("dt=day(s)"), "folders by dt=day(s): s holds string");
        assert_eq!(told("ts"), "folders by ts: ts holds timestamp");
    }
}
