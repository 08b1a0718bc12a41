//! A section of haproxy.cfg together with the defaults that hold for it.

use conf::haproxy::{Config, Line, Section};

/// A frontend, backend or listen section and its defaults.
pub(super) struct Proxy<'a> {
    pub(super) section: &'a Section,
    defaults: Option<&'a Section>,
}

impl<'a> Proxy<'a> {
    /// The proxies of a file. A section's defaults are those it names with
    /// `from`, or the last before it.
    pub(super) fn all(config: &'a Config) -> Vec<Self> {
        let mut before = None;
        let mut proxies = Vec::new();
        for section in &config.sections {
            match section.kind() {
                "defaults" => before = Some(section),
                "frontend" | "backend" | "listen" => {
                    let named = section.head.value("from");
                    let named = named.and_then(|name| config.sections("defaults").find(|d| d.name() == name));
                    proxies.push(Self { section, defaults: named.or(before) });
                }
                _ => {}
            }
        }
        proxies
    }

    /// Its lines, after those of its defaults.
    pub(super) fn lines(&self) -> impl Iterator<Item = &'a Line> {
        self.defaults.into_iter().chain([self.section]).flat_map(|section| &section.lines)
    }

    /// The line that counts among those that begin with these words.
    pub(super) fn last(&self, words: &[&str]) -> Option<&'a Line> {
        self.lines().filter(|line| line.begins(words)).last()
    }

    /// An option that is set and not taken back.
    pub(super) fn option(&self, name: &str) -> Option<&'a Line> {
        let set = |line: &Line| line.begins(&["option", name]);
        let line = self.lines().filter(|line| set(line) || line.begins(&["no", "option", name])).last();
        line.filter(|line| set(line))
    }

    /// A timeout and its length in milliseconds.
    pub(super) fn timeout(&self, name: &str) -> Option<(&'a Line, f64)> {
        let line = self.last(&["timeout", name])?;
        Some((line, duration_ms(line.word(2))?))
    }

    pub(super) fn is_tcp(&self) -> bool {
        self.last(&["mode"]).is_none_or(|line| line.word(1) == "tcp")
    }

    pub(super) fn servers(&self) -> impl Iterator<Item = &'a Line> + use<'a> {
        self.section.lines.iter().filter(|line| matches!(line.keyword(), "server" | "server-template"))
    }

    /// Whether a server has a keyword, by itself or by `default-server`.
    pub(super) fn has(&self, server: &Line, keyword: &str) -> bool {
        let no = format!("no-{keyword}");
        !server.has(&no) && (server.has(keyword) || self.default_servers().any(|line| line.has(keyword)))
    }

    /// A keyword's value on a server's line, or on a `default-server` before.
    pub(super) fn value(&self, server: &'a Line, keyword: &str) -> Option<&'a str> {
        server.value(keyword).or_else(|| self.default_servers().filter_map(|line| line.value(keyword)).last())
    }

    fn default_servers(&self) -> impl Iterator<Item = &'a Line> {
        self.lines().filter(|line| line.keyword() == "default-server")
    }
}

/// A time as haproxy writes it, in milliseconds: bare numbers are milliseconds.
pub(super) fn duration_ms(text: &str) -> Option<f64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "us" => 0.001,
        "" | "ms" => 1.0,
        "s" => 1000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    Some(f64::from(digits.parse::<u32>().ok()?) * unit)
}
