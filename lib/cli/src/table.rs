//! Records as an aligned table, for eyes.

use std::fmt::Write;

use serde_json::Value;

/// Rows of one record type, waiting for their column widths.
#[derive(Debug, Default)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Rows that wait at most before they are printed.
const BATCH: usize = 500;

impl Table {
    /// Adds a record; gives the finished text of the rows before it if it
    /// is of another shape, or if many wait.
    pub(crate) fn push(&mut self, record: Value) -> String {
        let Value::Object(fields) = record else { return format!("{record}\n") };
        let kept = fields.iter().filter(|(name, _)| *name != "record");
        let (head, row): (Vec<_>, Vec<_>) =
            kept.map(|(name, value)| (name.to_uppercase(), cell(value))).unzip();
        let done = if head == self.head && self.rows.len() < BATCH { String::new() } else { self.finish() };
        self.head = head;
        self.rows.push(row);
        done
    }

    /// The text of all rows that wait; columns that are empty throughout are left out.
    pub(crate) fn finish(&mut self) -> String {
        let rows = std::mem::take(&mut self.rows);
        let mut text = String::new();
        if rows.is_empty() {
            return text;
        }
        let columns = (0..self.head.len()).filter(|&c| rows.iter().any(|row| row[c] != "-"));
        let widths: Vec<_> = columns
            .map(|c| {
                let widest = rows.iter().map(|row| row[c].chars().count()).max().unwrap_or_default();
                (c, widest.max(self.head[c].chars().count()))
            })
            .collect();
        for row in std::iter::once(&self.head).chain(&rows) {
            let mut line = String::new();
            for &(column, width) in &widths {
                let _ = write!(line, "{:width$}  ", row[column]);
            }
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.replace('\n', "⏎"),
        Value::Array(items) => match items.iter().map(cell).collect::<Vec<_>>().join(",") {
            empty if empty.is_empty() => "-".into(),
            list => list,
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_line_up_and_empty_ones_are_left_out() {
        let mut table = Table::default();
        table.push(json!({"record":"r","name":"a","note":null,"n":10}));
        table.push(json!({"record":"r","name":"long","note":null,"n":2}));
        let text = table.finish();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(!text.contains("NOTE"));
        assert_eq!(lines[1].find("10"), lines[2].find('2'));
    }
}
