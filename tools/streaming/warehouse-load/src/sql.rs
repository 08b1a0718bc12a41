//! What a `PostgreSQL` server is asked to do.

use database::load::{Column, Holds, Target, literal, quoted};

/// The table rows are staged in.
const STAGING: &str = "pg_temp.\"bareplane_staging\"";

/// The statements of a load into a table.
#[derive(Debug)]
pub(crate) struct Sql {
    /// The table, quoted.
    target: String,
    /// What the ledger calls it.
    name: String,
    /// The ledger, quoted.
    ledger: String,
    columns: Vec<Column>,
    /// The columns that make two rows the same; none if nobody looks.
    key: Vec<String>,
    /// The staging table's column for the place of a row in its load.
    line: String,
}

impl Sql {
    pub(crate) fn new(target: &Target, ledger: &str, columns: Vec<Column>, key: &[String]) -> Self {
        let mut line = "_line".to_owned();
        while target.columns.iter().any(|column| column.name == line) {
            line.insert(0, '_');
        }
        Self {
            target: format!("{}.{}", quoted(&target.schema), quoted(&target.table)),
            name: format!("{}.{}", target.schema, target.table),
            ledger: format!("{}.{}", quoted(&target.schema), quoted(ledger)),
            columns,
            key: key.to_vec(),
            line,
        }
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Nobody else loads into the table meanwhile.
    pub(crate) fn alone(&self) -> String {
        let name = literal(&format!("bareplane load {}", self.name));
        format!("SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended({name}, 0))")
    }

    pub(crate) fn ledger_there(&self) -> String {
        format!("SELECT pg_catalog.to_regclass({})", literal(&self.ledger))
    }

    pub(crate) fn make_ledger(&self) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {} (target text NOT NULL, load_id text NOT NULL, source text NOT NULL, \
             sha256 text NOT NULL, rows bigint NOT NULL, inserted bigint NOT NULL, updated bigint NOT NULL, \
             unchanged bigint NOT NULL, superseded bigint NOT NULL, rejected bigint NOT NULL, \
             loaded_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (target, load_id))",
            self.ledger
        )
    }

    /// What the ledger knows of a load.
    pub(crate) fn known(&self, load_id: &str) -> String {
        format!(
            "SELECT sha256, rows, inserted, updated, unchanged, superseded, rejected FROM {} \
             WHERE target = {} AND load_id = {}",
            self.ledger,
            literal(&self.name),
            literal(load_id)
        )
    }

    pub(crate) fn note(&self, load: &model::Load) -> String {
        let model::Load { rows, inserted, updated, unchanged, superseded, rejected, .. } = load;
        let words = [&self.name, &load.load_id, &load.source, &load.sha256].map(|text| literal(text));
        format!(
            "INSERT INTO {} (target, load_id, source, sha256, rows, inserted, updated, unchanged, superseded, rejected) \
             VALUES ({}, {rows}, {inserted}, {updated}, {unchanged}, {superseded}, {rejected})",
            self.ledger,
            words.join(", ")
        )
    }

    /// A staging table of the columns that are loaded.
    pub(crate) fn stage(&self) -> String {
        let line = if self.key.is_empty() {
            String::new()
        } else {
            format!(", 0::bigint AS {}", quoted(&self.line))
        };
        format!(
            "CREATE TEMP TABLE \"bareplane_staging\" ON COMMIT DROP AS SELECT {}{line} FROM {} WITH NO DATA",
            self.list(""),
            self.target
        )
    }

    /// Rows, into the staging table or at once into the other.
    pub(crate) fn copy(&self, staged: bool) -> String {
        match (staged, self.key.is_empty()) {
            (false, _) => format!("COPY {} ({}) FROM STDIN", self.target, self.list("")),
            (true, true) => format!("COPY {STAGING} ({}) FROM STDIN", self.list("")),
            (true, false) => {
                format!("COPY {STAGING} ({}, {}) FROM STDIN", self.list(""), quoted(&self.line))
            }
        }
    }

    pub(crate) fn append(&self) -> String {
        format!("INSERT INTO {} ({}) SELECT {} FROM {STAGING}", self.target, self.list(""), self.list(""))
    }

    /// The server has never seen the staging table: it is told how large it is.
    pub(crate) fn weigh() -> String {
        format!("ANALYZE {STAGING}")
    }

    /// Of rows with one key the last stays.
    pub(crate) fn supersede(&self) -> String {
        let line = quoted(&self.line);
        format!(
            "DELETE FROM {STAGING} a USING {STAGING} b WHERE {} AND a.{line} < b.{line}",
            self.on("a", "b")
        )
    }

    /// Puts the staged rows into the table; tells how many were new and how many took another's place.
    pub(crate) fn merge(&self) -> String {
        let others = || self.columns.iter().filter(|column| !self.key.contains(&column.name));
        let action = if others().next().is_none() {
            "DO NOTHING".to_owned()
        } else {
            let set = others().map(|column| {
                let name = quoted(&column.name);
                format!("{name} = excluded.{name}")
            });
            let row = |of: &str| {
                let values = others().map(|column| comparable(of, column)).collect::<Vec<_>>();
                format!("ROW({})", values.join(", "))
            };
            format!(
                "DO UPDATE SET {} WHERE {} IS DISTINCT FROM {}",
                set.collect::<Vec<_>>().join(", "),
                row("t"),
                row("excluded")
            )
        };
        format!(
            "WITH merged AS (INSERT INTO {} AS t ({}) SELECT {} FROM {STAGING} ORDER BY {} ON CONFLICT ({}) {action} \
             RETURNING (t.xmax = 0) AS fresh) SELECT count(*) FILTER (WHERE fresh), count(*) FILTER (WHERE NOT fresh) FROM merged",
            self.target,
            self.list(""),
            self.list(""),
            self.keys(),
            self.keys()
        )
    }

    /// How many staged rows have no row of their key in the table.
    pub(crate) fn astray(&self) -> String {
        format!(
            "SELECT count(*) FROM {STAGING} s WHERE NOT EXISTS (SELECT FROM {} t WHERE {})",
            self.target,
            self.on("s", "t")
        )
    }

    /// Whether the database itself keeps the key unique.
    pub(crate) fn unique(&self) -> String {
        let names = self.key.iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ");
        format!(
            "SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = {}::pg_catalog.regclass AND i.indisunique \
             AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL AND ARRAY(SELECT a.attname::text \
             FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indrelid \
             AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) ORDER BY 1) = \
             ARRAY(SELECT unnest(ARRAY[{names}]::text[]) ORDER BY 1)",
            literal(&self.target)
        )
    }

    /// What a load asks for, in order.
    pub(crate) fn all(&self, staged: bool) -> Vec<String> {
        let mut all = Vec::new();
        if staged {
            all.push(self.stage());
        }
        all.push(self.copy(staged));
        if !self.key.is_empty() {
            all.extend([Self::weigh(), self.supersede(), self.merge(), self.astray()]);
        } else if staged {
            all.push(self.append());
        }
        all
    }

    fn list(&self, of: &str) -> String {
        let names = self.columns.iter().map(|column| format!("{of}{}", quoted(&column.name)));
        names.collect::<Vec<_>>().join(", ")
    }

    fn keys(&self) -> String {
        self.key.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
    }

    fn on(&self, one: &str, other: &str) -> String {
        let same = |name: &String| {
            let name = quoted(name);
            format!("{one}.{name} = {other}.{name}")
        };
        self.key.iter().map(same).collect::<Vec<_>>().join(" AND ")
    }
}

/// A value that can be compared: not every type has an equality.
fn comparable(of: &str, column: &Column) -> String {
    let name = quoted(&column.name);
    match column.holds {
        Holds::Json => format!("{of}.{name}::jsonb"),
        Holds::Other => format!("{of}.{name}::text"),
        _ => format!("{of}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, holds: Holds) -> Column {
        Column {
            name: name.into(),
            sql_type: String::new(),
            holds,
            not_null: false,
            has_default: false,
            is_generated: false,
        }
    }

    fn sql(names: &[&str], key: &[&str]) -> Sql {
        let columns: Vec<_> = names.iter().map(|name| column(name, Holds::Text(None))).collect();
        let target = Target { schema: "s".into(), table: "t\"; EVIL".into(), columns: columns.clone() };
        let key: Vec<_> = key.iter().map(|&name| name.to_owned()).collect();
        Sql::new(&target, "loads", columns, &key)
    }

    #[test]
    fn a_hostile_name_stays_a_name() {
        let hostile = "a\"); EVIL x; --";
        let sql = sql(&[hostile, "b'"], &[hostile]);
        for statement in sql.all(true) {
            let outside: String = statement.split('"').step_by(2).collect();
            assert!(!outside.contains("EVIL"), "{statement}");
        }
        assert!(sql.known("x' OR '1").contains("load_id = 'x'' OR ''1'"));
    }

    #[test]
    fn the_column_of_lines_is_none_of_the_tables() {
        assert!(sql(&["_line", "__line"], &["_line"]).stage().contains("0::bigint AS \"___line\""));
    }

    #[test]
    fn a_table_of_keys_alone_is_merged_too() {
        assert!(sql(&["a"], &["a"]).merge().contains("ON CONFLICT (\"a\") DO NOTHING"));
    }

    #[test]
    fn what_has_no_equality_is_compared_as_something_that_has() {
        assert_eq!(comparable("t", &column("j", Holds::Json)), "t.\"j\"::jsonb");
        assert_eq!(comparable("t", &column("p", Holds::Other)), "t.\"p\"::text");
    }
}
