//! apt's sources: one-line (`.list`) and deb822 (`.sources`), edited in place.
//!
//! Read as apt reads them (sources.list(5)): in a list `#` ends a line except
//! within brackets; in deb822 lines that begin with `#` are no part of a
//! stanza, names of fields are of any case, and a stanza may be switched off.
//!
//! ```
//! use conf::apt::{Form, Sources};
//! let mut list = Sources::new(Form::List, "deb https://example.org/v1/ /  # ours\n");
//! let source = list.sources().remove(0);
//! list.set_uri(&source, "https://example.org/v2/");
//! list.set_option(&source, "signed-by", Some("/etc/apt/keyrings/a.asc"));
//! assert_eq!(list.as_str(), "deb [signed-by=/etc/apt/keyrings/a.asc] https://example.org/v2/ /  # ours\n");
//! ```

use std::ops::Range;

/// How a file lists its sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `sources.list` and `*.list`: one a line.
    List,
    /// `*.sources`: one a stanza.
    Deb822,
}

impl Form {
    /// The form a file of this name has; none if apt does not read it.
    pub fn of(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1 {
            "list" => Some(Self::List),
            "sources" => Some(Self::Deb822),
            _ => None,
        }
    }
}

/// A file of sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    form: Form,
    text: String,
}

/// One source, or several that share a stanza.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Its line, from 1.
    pub line: u32,
    /// Whether apt looks at it; what is commented out in a list is no source at all.
    pub enabled: bool,
    /// `deb`, `deb-src` or both.
    pub types: Vec<String>,
    /// Where it is.
    pub uris: Vec<String>,
    /// Its distributions, or a path that ends in `/`.
    pub suites: Vec<String>,
    /// Its components; none for a path.
    pub components: Vec<String>,
    /// The rest, by names as in deb822 but in lower case: `signed-by`, `trusted`.
    pub options: Vec<(String, String)>,
    /// Which line or stanza it is, from 0.
    at: usize,
}

impl Source {
    /// The value of an option; of several the last.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().rfind(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

impl Sources {
    /// Takes a file as it is; what apt would not read in it is passed over.
    pub fn new(form: Form, text: impl Into<String>) -> Self {
        Self { form, text: text.into() }
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How it lists its sources.
    pub fn form(&self) -> Form {
        self.form
    }

    /// What it lists, in order. Edits do not make the places of others wrong.
    pub fn sources(&self) -> Vec<Source> {
        match self.form {
            Form::List => {
                let lines = self.lines().into_iter().enumerate();
                lines.filter_map(|(at, range)| self.entry(at, &range).map(|entry| entry.source)).collect()
            }
            Form::Deb822 => {
                let stanzas = self.stanzas().into_iter().enumerate();
                stanzas.filter_map(|(at, fields)| self.stanza(at, &fields)).collect()
            }
        }
    }

    /// Lines that apt takes for no source and nothing else: it then reads no file at all.
    pub fn malformed(&self) -> Vec<u32> {
        match self.form {
            Form::List => {
                let lines = self.lines().into_iter().enumerate().filter(|(at, line)| {
                    let said = &self.text[line.start..line.start + uncommented(&self.text[line.clone()])];
                    let fits =
                        |source: &Source| source.suites[0].ends_with('/') == source.components.is_empty();
                    !said.trim().is_empty() && !self.entry(*at, line).is_some_and(|entry| fits(&entry.source))
                });
                lines.map(|(at, _)| number(at)).collect()
            }
            Form::Deb822 => {
                let stanzas = self.stanzas();
                let lacks = |fields: &&Vec<Field>| {
                    let has = |name: &str| fields.iter().any(|field| field.name == name);
                    !(has("types") && has("uris") && has("suites"))
                };
                stanzas.iter().filter(lacks).filter_map(|fields| Some(fields.first()?.line)).collect()
            }
        }
    }

    /// Keeps apt from looking at a source: its line becomes a comment, its stanza is switched off.
    pub fn disable(&mut self, source: &Source) {
        match self.form {
            Form::List => {
                if let Some(line) = self.lines().get(source.at) {
                    self.text.insert_str(line.start, "# ");
                }
            }
            Form::Deb822 => self.set_field(source.at, "Enabled", Some("no")),
        }
    }

    /// Lets apt look at a stanza again.
    pub fn enable(&mut self, source: &Source) {
        if self.form == Form::Deb822 {
            self.set_field(source.at, "Enabled", Some("yes"));
        }
    }

    /// Gives a source another place; of several there the first is meant.
    pub fn set_uri(&mut self, source: &Source, uri: &str) {
        match self.form {
            Form::List => {
                if let Some(entry) = self.entry_at(source.at) {
                    self.text.replace_range(entry.uri, uri);
                }
            }
            Form::Deb822 => self.set_field(source.at, "URIs", Some(uri)),
        }
    }

    /// Gives a source other suites and components.
    pub fn set_suites(&mut self, source: &Source, suites: &str, components: &str) {
        match self.form {
            Form::List => {
                if let Some(entry) = self.entry_at(source.at) {
                    let text = if components.is_empty() {
                        suites.to_owned()
                    } else {
                        format!("{suites} {components}")
                    };
                    self.text.replace_range(entry.suites, &text);
                }
            }
            Form::Deb822 => {
                self.set_field(source.at, "Suites", Some(suites));
                self.set_field(
                    source.at,
                    "Components",
                    Some(components).filter(|components| !components.is_empty()),
                );
            }
        }
    }

    /// Gives an option a value, or takes it away.
    pub fn set_option(&mut self, source: &Source, name: &str, value: Option<&str>) {
        match self.form {
            Form::List => self.set_in_brackets(source.at, name, value),
            Form::Deb822 => self.set_field(source.at, name, value),
        }
    }

    /// Adds a stanza, or a line of a single source, at the end.
    pub fn push(&mut self, text: &str) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        if self.form == Form::Deb822 && !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
        self.text.push_str(text);
    }

    /// Where its lines are, without their newlines.
    fn lines(&self) -> Vec<Range<usize>> {
        let mut at = 0;
        let lines = self.text.split_inclusive('\n').map(|line| {
            let start = at;
            at += line.len();
            start..start + line.trim_end_matches(['\n', '\r']).len()
        });
        lines.collect()
    }

    fn entry_at(&self, at: usize) -> Option<Entry> {
        self.entry(at, self.lines().get(at)?)
    }

    /// The source of a line of a list.
    fn entry(&self, at: usize, line: &Range<usize>) -> Option<Entry> {
        let end = line.start + uncommented(&self.text[line.clone()]);
        let mut place = line.start;
        let mut word = || {
            let rest = &self.text[place..end];
            let start = place + rest.find(|c: char| !c.is_whitespace())?;
            let rest = &self.text[start..end];
            let length = if rest.starts_with('[') { rest.find(']')? + 1 } else { blank(rest) };
            place = start + length;
            Some(start..place)
        };
        let kind = word()?;
        if !matches!(&self.text[kind.clone()], "deb" | "deb-src") {
            return None;
        }
        let mut uri = word()?;
        let mut brackets = None;
        if self.text[uri.clone()].starts_with('[') {
            brackets = Some(uri.clone());
            uri = word()?;
        }
        let suite = word()?;
        let (mut last, mut components) = (suite.end, Vec::new());
        while let Some(component) = word() {
            last = component.end;
            components.push(self.text[component].to_owned());
        }
        let source = Source {
            line: number(at),
            enabled: true,
            types: vec![self.text[kind.clone()].to_owned()],
            uris: vec![self.text[uri.clone()].to_owned()],
            suites: vec![self.text[suite.clone()].to_owned()],
            components,
            options: brackets.clone().map(|brackets| self.options(brackets)).unwrap_or_default(),
            at,
        };
        Some(Entry { source, kind, brackets, uri, suites: suite.start..last })
    }

    /// What stands in brackets.
    fn options(&self, brackets: Range<usize>) -> Vec<(String, String)> {
        let inner = self.text[brackets].trim_matches(['[', ']']);
        let pairs = inner.split_whitespace().filter_map(|option| option.split_once('='));
        pairs.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect()
    }

    fn set_in_brackets(&mut self, at: usize, name: &str, value: Option<&str>) {
        let Some(entry) = self.entry_at(at) else { return };
        let Some(brackets) = entry.brackets else {
            if let Some(value) = value {
                self.text.insert_str(entry.uri.start, &format!("[{name}={value}] "));
            }
            return;
        };
        let inner = self.text[brackets.clone()].trim_matches(['[', ']']).to_owned();
        let is =
            |option: &&str| option.split('=').next().is_some_and(|found| found.eq_ignore_ascii_case(name));
        let mut options: Vec<String> = inner.split_whitespace().map(str::to_owned).collect();
        let found = options.iter().rposition(|option| is(&option.as_str()));
        match (found, value) {
            (Some(place), Some(value)) => options[place] = format!("{name}={value}"),
            (Some(_), None) => options.retain(|option| !is(&option.as_str())),
            (None, Some(value)) => options.push(format!("{name}={value}")),
            (None, None) => return,
        }
        if options.is_empty() {
            self.text.replace_range(entry.kind.end..entry.uri.start, " ");
        } else {
            let (open, close) = if inner.starts_with(' ') { ("[ ", " ]") } else { ("[", "]") };
            self.text.replace_range(brackets, &format!("{open}{}{close}", options.join(" ")));
        }
    }

    /// The fields of every stanza.
    fn stanzas(&self) -> Vec<Vec<Field>> {
        let mut stanzas: Vec<Vec<Field>> = Vec::new();
        let mut open = false;
        for (at, range) in self.lines().into_iter().enumerate() {
            let line = &self.text[range.clone()];
            if line.trim().is_empty() {
                open = false;
            } else if line.starts_with('#') {
                // No part of a stanza, nor its end.
            } else if line.starts_with([' ', '\t']) {
                if let Some(field) = stanzas.last_mut().filter(|_| open).and_then(|stanza| stanza.last_mut())
                {
                    field.lines.end = range.end;
                }
            } else if let Some((name, _)) = line.split_once(':') {
                let field = Field { name: name.trim().to_lowercase(), line: number(at), lines: range };
                match stanzas.last_mut().filter(|_| open) {
                    Some(stanza) => stanza.push(field),
                    None => stanzas.push(vec![field]),
                }
                open = true;
            }
        }
        stanzas
    }

    /// A field's value; its further lines follow after a newline each.
    fn value(&self, field: &Field) -> String {
        let text = &self.text[field.lines.clone()];
        let lines = text.lines().filter(|line| !line.starts_with('#')).map(str::trim);
        let value = lines.collect::<Vec<_>>().join("\n");
        value.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    }

    fn stanza(&self, at: usize, fields: &[Field]) -> Option<Source> {
        let mut source = Source { line: fields.first()?.line, enabled: true, at, ..Source::default() };
        for field in fields {
            let value = self.value(field);
            let words = || value.split_whitespace().map(str::to_owned).collect();
            match field.name.as_str() {
                "types" => source.types = words(),
                "uris" => source.uris = words(),
                "suites" => source.suites = words(),
                "components" => source.components = words(),
                "enabled" => source.enabled = !is_no(&value),
                name => source.options.push((name.to_owned(), value)),
            }
        }
        (!source.types.is_empty()).then_some(source)
    }

    fn set_field(&mut self, at: usize, name: &str, value: Option<&str>) {
        let stanzas = self.stanzas();
        let Some(fields) = stanzas.get(at) else { return };
        // Of a field that is there twice the last counts.
        let found = fields.iter().rfind(|field| field.name.eq_ignore_ascii_case(name));
        match (found, value) {
            (Some(field), Some(value)) => {
                let written = self.text[field.lines.clone()].split(':').next().unwrap_or(name).to_owned();
                self.text.replace_range(field.lines.clone(), &format!("{written}: {value}"));
            }
            (Some(field), None) => {
                let end = field.lines.end;
                let end = self.text[end..].find('\n').map_or(self.text.len(), |newline| end + newline + 1);
                self.text.replace_range(field.lines.start..end, "");
                self.set_field(at, name, None);
            }
            (None, Some(value)) => {
                let Some(last) = fields.last() else { return };
                let end = if self.text.contains("\r\n") { "\r\n" } else { "\n" };
                let name = if name == "signed-by" { "Signed-By" } else { name };
                self.text.insert_str(last.lines.end, &format!("{end}{name}: {value}"));
            }
            (None, None) => {}
        }
    }
}

/// A line of a list, and where its parts are.
struct Entry {
    source: Source,
    kind: Range<usize>,
    brackets: Option<Range<usize>>,
    uri: Range<usize>,
    /// Suite and components.
    suites: Range<usize>,
}

/// A field of a stanza.
struct Field {
    /// Its name in lower case.
    name: String,
    line: u32,
    /// Where its lines are, the last newline left out.
    lines: Range<usize>,
}

fn number(at: usize) -> u32 {
    u32::try_from(at + 1).unwrap_or(u32::MAX)
}

/// How much of a line comes before its comment.
fn uncommented(line: &str) -> usize {
    let mut rest = 0;
    while let Some(found) = line[rest..].find(['#', '[']) {
        let at = rest + found;
        if line[at..].starts_with('#') {
            return at;
        }
        rest = line[at..].find(']').map_or(at + 1, |close| at + close + 1);
    }
    line.len()
}

/// Where a word ends.
fn blank(text: &str) -> usize {
    text.find(char::is_whitespace).unwrap_or(text.len())
}

/// What apt takes for a no.
fn is_no(value: &str) -> bool {
    ["no", "false", "without", "off", "disable", "0"].iter().any(|no| value.eq_ignore_ascii_case(no))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(text: &str) -> Sources {
        Sources::new(Form::List, text)
    }

    fn deb822(text: &str) -> Sources {
        Sources::new(Form::Deb822, text)
    }

    #[test]
    fn a_line_is_read_as_apt_reads_it() {
        let text = "# deb http://a/ b c\n\tdeb [ arch=amd64 Signed-By=/k#1.gpg ]\thttp://a/x /  # why\r\ndeb-src http://a b c d\nrpm x\ndeb x\n";
        let found = list(text).sources();
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].line, found[0].uris[0].as_str(), found[0].suites[0].as_str()),
            (2, "http://a/x", "/")
        );
        assert_eq!(found[0].option("signed-by"), Some("/k#1.gpg"));
        assert_eq!((found[1].types[0].as_str(), found[1].components.join(" ")), ("deb-src", "c d".into()));
    }

    #[test]
    fn a_stanza_is_read_as_apt_reads_it() {
        let text = "# ours\nTypes: deb deb-src\nuris:\n https://a\n# not this\n https://b\nSuites: x\nSigned-By:\n -----BEGIN\n .\n x\n\n\
                    Enabled: off\nTypes: deb\nURIs: c\n\nX-Foo: bar\n";
        let found = deb822(text).sources();
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].line, found[0].uris.join(" "), found[0].enabled),
            (2, "https://a https://b".into(), true)
        );
        assert_eq!(found[0].option("signed-by"), Some("-----BEGIN\n.\nx"));
        assert_eq!((found[1].line, found[1].enabled), (13, false));
    }

    #[test]
    fn what_apt_stumbles_over_is_told() {
        let text = "# x\n\ndeb http://a b c\ndeb http://a b\nrpm http://a b c\ndeb http://a / c\ndeb http://a /\ndeb [a http://a b c\n";
        assert_eq!(list(text).malformed(), [4, 5, 6, 8]);
        assert_eq!(deb822("# x\n\nTypes: deb\nURIs: a\n\nTypes: deb\nURIs: a\nSuites: b\n").malformed(), [3]);
    }

    #[test]
    fn a_line_is_edited_in_place() {
        let edited = |text: &str, edit: &dyn Fn(&mut Sources, &Source)| {
            let mut list = list(text);
            let source = list.sources().remove(0);
            edit(&mut list, &source);
            list.text
        };
        let text = "a\n deb [ trusted=yes arch=amd64 ] http://a/ b  c # x\r\n";
        assert_eq!(edited(text, &|l, s| l.set_uri(s, "http://z")), text.replace("http://a/", "http://z"));
        assert_eq!(edited(text, &|l, s| l.set_suites(s, "/", "")), text.replace("b  c", "/"));
        assert_eq!(edited(text, &|l, s| l.disable(s)), text.replace(" deb", "#  deb"));
        assert_eq!(edited(text, &|l, s| l.set_option(s, "trusted", None)), text.replace("trusted=yes ", ""));
        assert_eq!(
            edited(text, &|l, s| l.set_option(s, "signed-by", Some("/k"))),
            text.replace("amd64", "amd64 signed-by=/k")
        );
        assert_eq!(edited("deb [trusted=yes] u s", &|l, s| l.set_option(s, "trusted", None)), "deb u s");
        assert_eq!(edited("deb u s", &|l, s| l.set_option(s, "trusted", None)), "deb u s");
    }

    #[test]
    fn a_stanza_is_edited_in_place() {
        let mut sources = deb822("Types: deb\nuRIs:\n a\n b\nTrusted: yes\n# end\n\nTypes: deb\nURIs: c");
        let found = sources.sources();
        sources.set_uri(&found[0], "z");
        sources.set_option(&found[0], "trusted", None);
        sources.disable(&found[1]);
        sources.set_option(&found[1], "signed-by", Some("/k"));
        let text = "Types: deb\nuRIs: z\n# end\n\nTypes: deb\nURIs: c\nEnabled: no\nSigned-By: /k";
        assert_eq!(sources.as_str(), text);
        sources.enable(&found[1]);
        sources.push("Types: deb\n");
        assert_eq!(
            sources.as_str(),
            format!("{}\n\nTypes: deb\n", text.replace("Enabled: no", "Enabled: yes"))
        );
    }

    #[test]
    fn of_a_field_that_is_there_twice_the_last_counts() {
        let mut sources = deb822("Types: deb\nTrusted: no\nEnabled: no\nTrusted: yes\nEnabled: yes\n");
        let source = sources.sources().remove(0);
        assert!(source.enabled && source.option("trusted") == Some("yes"));
        sources.disable(&source);
        sources.set_option(&source, "trusted", None);
        assert_eq!(sources.as_str(), "Types: deb\nEnabled: no\nEnabled: no\n");
        assert!(!sources.sources()[0].enabled);
    }

    proptest! {
        #[test]
        fn what_is_disabled_is_gone_and_the_rest_stays(
            lines in proptest::collection::vec("([ \t]?(#|deb|deb-src|Types: deb|URIs: http://a|Suites: b|Enabled: no| more)([ \t]{1,2}(\\[a=b( c=d)?\\]|http://a/|/|b|#x)){0,4})?(\r\n|\n)", 0..9),
            deb in any::<bool>(),
        ) {
            let form = if deb { Form::Deb822 } else { Form::List };
            let mut sources = Sources::new(form, lines.concat());
            let before = sources.sources();
            let Some(first) = before.iter().find(|source| source.enabled) else { return Ok(()) };
            sources.disable(first);
            let after: Vec<_> = sources.sources().into_iter().filter(|source| source.enabled).collect();
            let kept: Vec<_> = before.iter().filter(|source| source.enabled && source.at != first.at).collect();
            prop_assert_eq!(after.len(), kept.len());
            for (after, kept) in after.iter().zip(kept) {
                prop_assert_eq!((&after.uris, &after.suites, &after.options), (&kept.uris, &kept.suites, &kept.options));
            }
        }

        #[test]
        fn any_text_is_taken(text in "\\PC{0,200}", deb in any::<bool>()) {
            let form = if deb { Form::Deb822 } else { Form::List };
            let mut sources = Sources::new(form, text.clone());
            prop_assert_eq!(sources.as_str(), &text);
            for source in sources.sources() {
                sources.set_uri(&source, "u");
                sources.set_option(&source, "signed-by", Some("/k"));
                sources.disable(&source);
            }
        }
    }
}
