//! Variables of the container calico-node, as lines of a list: active,
//! commented out, or half of each.

use net::Family;
use yaml_splice::{Node, Stream};

use crate::form::{Form, Name, Setting, Site, State, in_lines, indent, object};

/// Each variable, what it is about, and behind which others it is added.
const VARIABLES: [(&str, Name, Family, &[&str]); 12] = [
    (
        "CALICO_IPV4POOL_CIDR",
        Name::Cidr,
        Family::V4,
        &["CALICO_IPV4POOL_VXLAN", "CALICO_IPV4POOL_IPIP", "IP"],
    ),
    ("CALICO_IPV4POOL_IPIP", Name::Ipip, Family::V4, &["IP_AUTODETECTION_METHOD", "IP"]),
    ("CALICO_IPV4POOL_VXLAN", Name::Vxlan, Family::V4, &["CALICO_IPV4POOL_IPIP", "IP"]),
    ("CALICO_IPV4POOL_BLOCK_SIZE", Name::BlockSize, Family::V4, &["CALICO_IPV4POOL_CIDR"]),
    ("IP", Name::Address, Family::V4, &["CLUSTER_TYPE"]),
    ("IP_AUTODETECTION_METHOD", Name::Autodetect, Family::V4, &["IP"]),
    ("CALICO_IPV6POOL_CIDR", Name::Cidr, Family::V6, &["CALICO_IPV4POOL_BLOCK_SIZE", "CALICO_IPV4POOL_CIDR"]),
    ("CALICO_IPV6POOL_VXLAN", Name::Vxlan, Family::V6, &["CALICO_IPV4POOL_VXLAN", "CALICO_IPV6POOL_CIDR"]),
    ("CALICO_IPV6POOL_BLOCK_SIZE", Name::BlockSize, Family::V6, &["CALICO_IPV6POOL_CIDR"]),
    ("IP6", Name::Address, Family::V6, &["IP_AUTODETECTION_METHOD", "IP"]),
    ("IP6_AUTODETECTION_METHOD", Name::Autodetect, Family::V6, &["IP6"]),
    ("FELIX_IPV6SUPPORT", Name::Support, Family::V6, &["IP6_AUTODETECTION_METHOD", "IP6"]),
];

/// The settings of a `DaemonSet`; none of another object.
pub(crate) fn settings<'s>(stream: &'s Stream<'_>, root: &'s Node, six: bool) -> Vec<Setting<'s>> {
    let containers = root.at(&["spec", "template", "spec", "containers"]).map_or(&[][..], Node::items);
    let named = |name: &str| {
        containers.iter().find(|container| container.get("name").and_then(Node::text) == Some(name))
    };
    let Some(list) = named("calico-node").and_then(|container| container.get("env")) else {
        return Vec::new();
    };
    if root.get("kind").and_then(Node::text) != Some("DaemonSet") || list.items().is_empty() {
        return Vec::new();
    }
    let form = if named("kube-flannel").is_some() { Form::Canal } else { Form::Manifest };
    let env = Env { stream, list };
    let found = VARIABLES.into_iter().filter_map(|(variable, name, family, behind)| {
        let found = env.find(variable).or_else(|| {
            let shown = family == Family::V4 || six;
            shown.then(|| env.absent(variable, behind))
        })?;
        Some(Setting {
            form,
            object: object(root),
            name,
            family: Some(family),
            field: variable.to_owned(),
            value: found.value,
            state: found.state,
            line: found.line,
            other: env.other(variable),
            site: found.site,
        })
    });
    found.collect()
}

/// The environment of a container.
struct Env<'s, 't> {
    stream: &'s Stream<'t>,
    list: &'s Node,
}

/// A variable that is there in some way.
struct Found<'s> {
    value: Option<String>,
    state: State,
    line: Option<u32>,
    /// Its last line.
    end: u32,
    site: Site<'s>,
}

impl<'s> Env<'s, '_> {
    /// The items of a name, the last first: it is the one that counts.
    fn named(&self, variable: &str) -> impl Iterator<Item = &'s Node> {
        let items = self.list.items().iter().rev();
        items.filter(move |item| item.get("name").and_then(Node::text) == Some(variable))
    }

    fn find(&self, variable: &str) -> Option<Found<'s>> {
        match self.named(variable).next() {
            Some(item) => Some(self.active(variable, item)),
            None => self.commented(variable),
        }
    }

    /// The line of one that is there, and overridden by a later one.
    fn other(&self, variable: &str) -> Option<u32> {
        self.named(variable).nth(1).map(|item| item.line)
    }

    /// A variable whose name counts.
    fn active(&self, variable: &str, item: &'s Node) -> Found<'s> {
        let (line, end) = (Some(item.line), self.end(item));
        let whole = |value: Option<String>, site| Found { value, state: State::Active, line, end, site };
        match (item.entry("value"), item.get("valueFrom")) {
            (Some((_, value)), _) if value.text().is_some() && !value.is_null() => {
                let site = Site::Scalar(value);
                Found { line: Some(value.line), ..whole(value.text().map(str::to_owned), site) }
            }
            (_, Some(_)) => whole(None, Site::Fixed(item.line, "its value comes from elsewhere (valueFrom)")),
            (Some((_, value)), None) => Found { state: State::Half, ..whole(None, Site::Scalar(value)) },
            (None, None) => {
                let next = end + 1;
                let site = match self.stream.comment(next).and_then(value_in) {
                    Some((_, tail)) => {
                        let prefix = format!("{}value: ", indent(self.stream, item.range.start));
                        Site::Pair(None, (next, prefix, tail))
                    }
                    None if in_lines(self.stream, item) => {
                        Site::After(end, format!("{}value: ", indent(self.stream, item.range.start)))
                    }
                    None => Site::Fixed(item.line, "the variable is written in brackets"),
                };
                let end = if matches!(site, Site::Pair(..)) { next } else { end };
                Found { state: State::Half, end, ..whole(None, site) }
            }
        }
        .unless_empty(variable)
    }

    /// A variable whose name is a comment.
    fn commented(&self, variable: &str) -> Option<Found<'s>> {
        let stream = self.stream;
        for line in self.lines() {
            let Some(comment) = stream.comment(line).filter(|text| text.contains(variable)) else { continue };
            let Some(name) = name_in(comment).filter(|(name, _)| name == variable) else { continue };
            let (below, state) = match stream.comment(line + 1) {
                Some(comment) => (value_in(comment), State::Commented),
                // The value counts, for the variable above it.
                None => (value_in(stream.line_text(line + 1)), State::Half),
            };
            // A name alone is only somebody's remark.
            let Some((value, tail)) = below else { continue };
            let dash = self.dash();
            let named = format!("{dash}- name: {variable}{}", name.1);
            let site = Site::Pair(Some((line, named)), (line + 1, format!("{dash}  value: "), tail));
            return Some(Found { value: Some(value), state, line: Some(line), end: line + 1, site });
        }
        None
    }

    /// Where a variable goes that is not there.
    fn absent(&self, variable: &str, behind: &[&str]) -> Found<'s> {
        let items = self.list.items();
        let last = || items.last().map_or(self.list.line, |item| self.end(item));
        let after = behind.iter().find_map(|other| self.find(other)).map_or_else(last, |found| found.end);
        let site = if in_lines(self.stream, self.list) {
            let dash = self.dash();
            Site::After(after, format!("{dash}- name: {variable}\n{dash}  value: "))
        } else {
            Site::Fixed(self.list.line, "the environment is written in brackets")
        };
        Found { value: None, state: State::Absent, line: None, end: after, site }
    }

    /// The lines of the list, comments before and behind it included.
    fn lines(&self) -> impl Iterator<Item = u32> {
        let stream = self.stream;
        let is_comment = move |line: &u32| stream.comment(*line).is_some();
        let first = (1..self.list.line).rev().take_while(is_comment).last().unwrap_or(self.list.line);
        let last = stream.line_at(self.list.range.end.saturating_sub(1));
        (first..=last).chain((last + 1..=stream.line_count()).take_while(is_comment))
    }

    /// What stands before the dash of an item.
    fn dash(&self) -> String {
        let item = self.list.items().first().map_or(self.list.range.start, |item| item.range.start);
        let line = self.stream.line(self.stream.line_at(item));
        let text = &self.stream.text[line];
        text[..text.len() - text.trim_start().len()].to_owned()
    }

    fn end(&self, item: &Node) -> u32 {
        self.stream.line_at(item.range.end.saturating_sub(1))
    }
}

impl Found<'_> {
    /// An empty pool is none.
    fn unless_empty(mut self, variable: &str) -> Self {
        if variable.ends_with("_CIDR") && self.value.as_deref() == Some("") {
            (self.value, self.state) = (None, State::Half);
        }
        self
    }
}

/// The variable a line `- name: X` names, and what follows on that line.
fn name_in(line: &str) -> Option<(String, String)> {
    let stream = Stream::parse(line).ok()?;
    let name = stream.documents.first()?.root.items().first()?.get("name")?;
    Some((name.text()?.to_owned(), line[name.range.end..].to_owned()))
}

/// The value a line `value: X` gives, and what follows on that line.
fn value_in(line: &str) -> Option<(String, String)> {
    let stream = Stream::parse(line).ok()?;
    let value = stream.documents.first()?.root.get("value")?;
    Some((value.text()?.to_owned(), line[value.range.end..].to_owned()))
}
