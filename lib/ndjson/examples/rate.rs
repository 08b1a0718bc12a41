//! How many records a CPU-second: `cargo run --release -p ndjson --example rate [FILE]`.
//!
//! Without a file it makes a million lines of the shape the notes on streaming
//! measure: 155 bytes, six fields, one of them an object.

use std::io::{Read, Write};

use ndjson::{Fields, Lines};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut text = Vec::new();
    match std::env::args().nth(1) {
        Some(path) => {
            std::fs::File::open(path)?.read_to_end(&mut text)?;
        }
        None => (0..1_000_000).for_each(|number| text.extend_from_slice(line(number).as_bytes())),
    }
    let mut fields = Fields::new();
    for path in ["ts", "amount", "country"] {
        fields.want(path)?;
    }
    for _ in 0..5 {
        let before = cpu_ns()?;
        let mut lines = Lines::new(&text[..], 1 << 20);
        let (mut records, mut broken) = (0_u64, 0_u64);
        while lines.fill()? {
            let mut found = fields.none();
            while let Some(line) = lines.take() {
                let mut here = ndjson::emptied(found);
                records += 1;
                broken += u64::from(fields.find(line.bytes, &mut here).is_err());
                found = ndjson::emptied(here);
            }
        }
        let spent = cpu_ns()? - before;
        let report = serde_json::json!({
            "records": records, "broken": broken, "bytes": text.len(),
            "cpu_ns_per_record": spent / records.max(1), "records_per_cpu_s": records * 1_000_000_000 / spent.max(1),
        });
        writeln!(std::io::stdout(), "{report}")?;
    }
    Ok(())
}

/// What this thread has used of a processor.
fn cpu_ns() -> Result<u64, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}

fn line(number: u64) -> String {
    let (second, ms) = (number / 1000 % 60, number % 1000);
    format!(
        "{{\"ts\":\"2026-01-01T{:02}:{:02}:{second:02}.{ms:03}Z\",\"id\":{number},\"user\":\"user{}\",\"amount\":{}.{:02},\"country\":\"{}\",\"meta\":{{\"source\":\"web\",\"version\":3,\"ok\":true}}}}\n",
        number / 3_600_000 % 24,
        number / 60_000 % 60,
        number * 7919 % 10_000,
        number * 31 % 1000,
        number * 17 % 100,
        ["SE", "DE", "FR", "US", "BR"][(number % 5) as usize],
    )
}
