//! The Tigera operator's Installation.

use net::Family;
use yaml_splice::{Node, Stream};

use crate::form::{Form, Name, Setting, Site, State, in_lines, indent, object};
use crate::words;

/// The settings of an Installation; none of another object.
pub(crate) fn settings<'s>(stream: &'s Stream<'_>, root: &'s Node, six: bool) -> Vec<Setting<'s>> {
    let text = |key| root.get(key).and_then(Node::text).unwrap_or_default();
    if text("kind") != "Installation" || !text("apiVersion").starts_with("operator.tigera.io/") {
        return Vec::new();
    }
    let of = Of { stream, root };
    let spec = root.entry("spec");
    let Some((key, network)) = spec.and_then(|(_, spec)| spec.entry("calicoNetwork")) else {
        let site = match spec {
            Some((key, spec)) if in_lines(stream, spec) => {
                let blanks = indent(stream, spec.range.start);
                Site::After(
                    key.line,
                    format!("{blanks}calicoNetwork:\n{blanks}  ipPools:\n{blanks}  - cidr: "),
                )
            }
            _ => Site::Fixed(root.line, "there is no spec written in lines"),
        };
        return vec![of.absent(Name::Cidr, Family::V4, "spec.calicoNetwork.ipPools", site)];
    };
    let inside = Inside { of, key, network };
    let mut found = inside.pools(Family::V4);
    found.extend(inside.pools(Family::V6).into_iter().filter(|pool| six || pool.state == State::Active));
    for family in [Family::V4, Family::V6] {
        let way = inside.autodetect(family);
        found.extend((family == Family::V4 || six || way.state == State::Active).then_some(way));
    }
    for (key, name) in [("mtu", Name::Mtu), ("bgp", Name::Backend)] {
        let field = format!("spec.calicoNetwork.{key}");
        found.extend(network.get(key).map(|node| inside.of.there(name, None, &field, node)));
    }
    found
}

/// The object a setting is part of.
struct Of<'s, 't> {
    stream: &'s Stream<'t>,
    root: &'s Node,
}

impl<'s> Of<'s, '_> {
    fn there(&self, name: Name, family: Option<Family>, field: &str, node: &'s Node) -> Setting<'s> {
        Setting {
            form: Form::Operator,
            object: object(self.root),
            name,
            family,
            field: field.to_owned(),
            value: node.text().filter(|_| !node.is_null()).map(str::to_owned),
            state: if node.is_null() { State::Half } else { State::Active },
            line: Some(node.line),
            other: None,
            site: Site::Scalar(node),
        }
    }

    fn absent(&self, name: Name, family: Family, field: &str, site: Site<'s>) -> Setting<'s> {
        Setting {
            site,
            value: None,
            state: State::Absent,
            line: None,
            ..self.there(name, Some(family), field, self.root)
        }
    }
}

/// `spec.calicoNetwork`, its key and its value.
struct Inside<'s, 't> {
    of: Of<'s, 't>,
    key: &'s Node,
    network: &'s Node,
}

impl<'s> Inside<'s, '_> {
    fn stream(&self) -> &'s Stream<'_> {
        self.of.stream
    }

    /// A key below `calicoNetwork` that is not there.
    fn below(&self, lines: impl FnOnce(&str) -> String) -> Site<'s> {
        if in_lines(self.stream(), self.network) {
            Site::After(self.key.line, lines(&indent(self.stream(), self.network.range.start)))
        } else {
            Site::Fixed(self.key.line, "calicoNetwork is written in brackets, or empty")
        }
    }

    /// The settings of every pool of a family, or of the one that is missing.
    fn pools(&self, family: Family) -> Vec<Setting<'s>> {
        let list = self.network.get("ipPools");
        let all = list.map_or(&[][..], Node::items);
        let of_family = |pool: &&Node| {
            let cidr = pool.get("cidr").and_then(Node::text).unwrap_or_default();
            cidr.contains(':') == (family == Family::V6)
        };
        let several = all.iter().filter(of_family).count() > 1;
        let mut found: Vec<_> = all
            .iter()
            .enumerate()
            .filter(|(_, pool)| of_family(pool))
            .flat_map(|(n, pool)| self.pool(family, n, pool))
            .collect();
        for setting in found.iter_mut().filter(|_| several) {
            let line = setting.line.unwrap_or(self.key.line);
            setting.site = Site::Fixed(line, "there is more than one pool of this family");
        }
        if found.is_empty() {
            let site = match list {
                None => self.below(|blanks| format!("{blanks}ipPools:\n{blanks}- cidr: ")),
                Some(list) if in_lines(self.stream(), list) && !all.is_empty() => {
                    let end = self.stream().line_at(list.range.end.saturating_sub(1));
                    let first = self.stream().line_text(list.line);
                    let dash = &first[..first.len() - first.trim_start().len()];
                    Site::After(end, format!("{dash}- cidr: "))
                }
                Some(list) => Site::Fixed(list.line, "the pools are written in brackets"),
            };
            found.push(self.of.absent(Name::Cidr, family, "spec.calicoNetwork.ipPools", site));
        }
        found
    }

    fn pool(&self, family: Family, number: usize, pool: &'s Node) -> Vec<Setting<'s>> {
        let keys = [("cidr", Name::Cidr), ("encapsulation", Name::Encap), ("blockSize", Name::BlockSize)];
        let setting = |(key, name): (&str, Name)| {
            let field = format!("spec.calicoNetwork.ipPools[{number}].{key}");
            match pool.get(key) {
                Some(node) => self.of.there(name, Some(family), &field, node),
                None if in_lines(self.stream(), pool) => {
                    let behind = pool.get("cidr").map_or(pool.line, |cidr| cidr.line);
                    let lines = format!("{}{key}: ", indent(self.stream(), pool.range.start));
                    self.of.absent(name, family, &field, Site::After(behind, lines))
                }
                None => self.of.absent(
                    name,
                    family,
                    &field,
                    Site::Fixed(pool.line, "the pool is written in brackets"),
                ),
            }
        };
        keys.into_iter().map(setting).collect()
    }

    fn autodetect(&self, family: Family) -> Setting<'s> {
        let key =
            if family == Family::V4 { "nodeAddressAutodetectionV4" } else { "nodeAddressAutodetectionV6" };
        let field = format!("spec.calicoNetwork.{key}");
        match self.network.get(key) {
            None => {
                let site = self.below(|blanks| format!("{blanks}{key}:\n{blanks}  "));
                self.of.absent(Name::Autodetect, family, &field, site)
            }
            Some(map) => {
                let site = match map.entries() {
                    [(way, value)] => Site::Bytes(way.range.start..value.range.end.max(way.range.end)),
                    _ => Site::Fixed(map.line, "one key is wanted in it"),
                };
                let there = self.of.there(Name::Autodetect, Some(family), &field, map);
                Setting { value: words::method(map), state: State::Active, site, ..there }
            }
        }
    }
}
