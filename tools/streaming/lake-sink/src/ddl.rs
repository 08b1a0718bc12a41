//! What makes a lake known to Athena.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use cli::{Context, Error, Out};
use lake::{Commit, Lake, Schema, Type};
use pipeline::{Partition, PartitionOf};

/// A topic's table.
struct Table<'a> {
    topic: &'a str,
    schema: &'a Schema,
    folders: Vec<Partition>,
    /// The folders there are, below the lake.
    there: BTreeSet<String>,
}

/// Prints the statements for every topic of the lake, or for one.
pub(crate) fn athena(
    lake: &Lake,
    url: &str,
    database: &str,
    topic: Option<&str>,
    out: &mut Out,
) -> cli::Result<()> {
    let doing = format!("reading the log of {url}");
    let commits = lake.entries().collect::<lake::Result<Vec<Commit>>>().doing(&doing)?;
    let mut there: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for commit in &commits {
        let folders = there.entry(&commit.topic).or_default();
        folders.extend(commit.files.iter().map(|file| folder(&file.file).to_owned()));
    }
    if let Some(asked) = topic.filter(|asked| !there.contains_key(asked)) {
        return Err(Error::invalid(doing, format!("there is no topic {asked}")));
    }
    let Some(last) = commits.last() else { return Ok(()) };
    for (topic, there) in there.into_iter().filter(|(name, _)| topic.is_none_or(|asked| asked == *name)) {
        let folders = last.folders.get(topic).into_iter().flatten();
        let folders = folders.map(|text| text.parse::<Partition>()).collect::<Result<Vec<_>, _>>();
        let folders = folders.map_err(|why| Error::invalid(&doing, why))?;
        let Some(schema) = last.schemas.get(topic) else { continue };
        if last.schemas.len() > 1 && !folders.iter().any(|folder| folder.of == PartitionOf::Topic) {
            return Err(Error::invalid(
                &doing,
                "several topics share its folders: a table would read them all",
            )
            .hint("write them with --partition topic"));
        }
        let table = Table { topic, schema, folders, there };
        out.write(table.statements(url, database).as_bytes())?;
    }
    Ok(())
}

fn folder(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl Table<'_> {
    fn statements(&self, url: &str, database: &str) -> String {
        let url = url.trim_end_matches('/');
        // A folder of the topic alone is the table's place, not a part of each row.
        let own = self.folders.first().is_some_and(|first| first.of == PartitionOf::Topic);
        let place = match self.there.first().filter(|_| own) {
            Some(folder) => format!("{url}/{}/", folder.split('/').next().unwrap_or_default()),
            None => format!("{url}/"),
        };
        let folders = &self.folders[usize::from(own)..];
        let name = format!("{}.{}", quoted(database), quoted(&self.topic.replace(['.', '-'], "_")));
        let is_folder = |name: &str| folders.iter().any(|folder| folder.name.eq_ignore_ascii_case(name));
        let columns = self.schema.columns().iter().filter(|column| !is_folder(&column.name));
        let columns: Vec<_> =
            columns.map(|column| format!("  {} {}", quoted(&column.name), of(column.of))).collect();
        let mut text = format!("CREATE EXTERNAL TABLE IF NOT EXISTS {name} (\n{}\n)\n", columns.join(",\n"));
        if !folders.is_empty() {
            let folders: Vec<_> =
                folders.iter().map(|folder| format!("{} string", quoted(&folder.name))).collect();
            let _ = writeln!(text, "PARTITIONED BY ({})", folders.join(", "));
        }
        let _ = writeln!(
            text,
            "STORED AS PARQUET\nLOCATION {}\nTBLPROPERTIES ('parquet.compression'='ZSTD');",
            literal(&place)
        );
        for folder in self.there.iter().filter(|_| !folders.is_empty()) {
            let parts = folder.split('/').skip(usize::from(own)).filter_map(|part| part.split_once('='));
            let parts: Vec<_> =
                parts.map(|(name, value)| format!("{}={}", quoted(name), literal(&plain(value)))).collect();
            let _ = writeln!(
                text,
                "ALTER TABLE {name} ADD IF NOT EXISTS PARTITION ({}) LOCATION {};",
                parts.join(", "),
                literal(&format!("{url}/{folder}/"))
            );
        }
        text
    }
}

fn of(of: Type) -> String {
    match of {
        Type::Bool => "boolean".to_owned(),
        Type::Int => "bigint".to_owned(),
        Type::Text | Type::Json => "string".to_owned(),
        Type::Double | Type::Timestamp | Type::Date => of.to_string(),
        Type::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
    }
}

/// A name; a back-tick in it stands twice.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text, as Hive reads it: with escapes by backslash.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A folder's value without its escapes.
fn plain(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        let code = (*first == b'%').then(|| after.get(..2)).flatten();
        let code = code.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = &after[if code.is_some() { 2 } else { 0 }..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_names() {
        let schema: Schema =
            serde_json::from_str(r#"{"a`b":"int","it's":"json","C":"string","x":"decimal(10,2)"}"#).unwrap();
        let there = ["topic=P.x/c=it%27s%2Fa%5C", "topic=P.x/c=__HIVE_DEFAULT_PARTITION__"];
        let table = Table {
            topic: "P.x",
            schema: &schema,
            folders: vec!["topic".parse().unwrap(), "c=C".parse().unwrap()],
            there: there.map(str::to_owned).into(),
        };
        let said = table.statements("s3://b/it's", "my`db");
        assert_eq!(
            said,
            "CREATE EXTERNAL TABLE IF NOT EXISTS `my``db`.`P_x` (\n  `a``b` bigint,\n  `it's` string,\n  `x` decimal(10,2)\n)\n\
             PARTITIONED BY (`c` string)\nSTORED AS PARQUET\nLOCATION 's3://b/it\\'s/topic=P.x/'\n\
             TBLPROPERTIES ('parquet.compression'='ZSTD');\n\
             ALTER TABLE `my``db`.`P_x` ADD IF NOT EXISTS PARTITION (`c`='__HIVE_DEFAULT_PARTITION__') \
             LOCATION 's3://b/it\\'s/topic=P.x/c=__HIVE_DEFAULT_PARTITION__/';\n\
             ALTER TABLE `my``db`.`P_x` ADD IF NOT EXISTS PARTITION (`c`='it\\'s/a\\\\') \
             LOCATION 's3://b/it\\'s/topic=P.x/c=it%27s%2Fa%5C/';\n"
        );
    }
}
