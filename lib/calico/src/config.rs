//! The `ConfigMap` beside the `DaemonSet`: MTU, backend, and what flannel is told.

use std::ops::Range;

use net::Family;
use yaml_splice::{Node, Stream, Style, Value};

use crate::form::{Form, Name, Setting, Site, State, object};

/// The settings of a `ConfigMap`; none of another object.
pub(crate) fn settings<'s>(stream: &'s Stream<'_>, root: &'s Node) -> Vec<Setting<'s>> {
    if root.get("kind").and_then(Node::text) != Some("ConfigMap") {
        return Vec::new();
    }
    let canal = root.at(&["data", "net-conf.json"]).is_some();
    let form = if canal { Form::Canal } else { Form::Manifest };
    let known = [
        ("veth_mtu", Name::Mtu),
        ("calico_backend", Name::Backend),
        ("cni_network_config", Name::Plugin),
        ("net-conf.json", Name::Network),
    ];
    let found = known.into_iter().filter_map(|(key, name)| {
        let node = root.at(&["data", key])?;
        let setting = Setting {
            form,
            object: object(root),
            name,
            family: None,
            field: format!("data.{key}"),
            value: node.text().map(str::to_owned),
            state: State::Active,
            line: Some(node.line),
            other: None,
            site: Site::Scalar(node),
        };
        match name {
            Name::Network => Some(flannel(stream, node, setting)),
            Name::Plugin => plugin(stream, node, setting),
            _ => Some(setting),
        }
    });
    found.collect()
}

/// The pods' network, as flannel is told.
fn flannel<'s>(stream: &Stream, node: &'s Node, setting: Setting<'s>) -> Setting<'s> {
    let missing = Site::Fixed(node.line, "no \"Network\" is found in it");
    let empty = Setting { family: Some(Family::V4), value: None, site: missing, ..setting };
    match text_of(stream, node, "Network") {
        None => empty,
        Some(bytes) => Setting {
            value: Some(stream.text[bytes.clone()].to_owned()),
            line: Some(stream.line_at(bytes.start)),
            site: Site::Bytes(bytes),
            ..empty
        },
    }
}

/// Whether pods get an address of IPv6; none if addresses are not Calico's.
fn plugin<'s>(stream: &Stream, node: &Node, setting: Setting<'s>) -> Option<Setting<'s>> {
    let own = "\"calico-ipam\"";
    let behind = node.range.start + stream.text[node.range.clone()].find(own)? + own.len();
    let told = text_of(stream, node, "assign_ipv6");
    let value = told.clone().map_or("false", |bytes| &stream.text[bytes]).to_owned();
    let at = told.as_ref().map_or(behind, |bytes| bytes.start);
    let site = match told {
        Some(bytes) => Site::Bytes(bytes),
        None if is_verbatim(node) => {
            let before = ", \"assign_ipv6\": \"";
            Site::Between(behind, before.to_owned(), "\"".to_owned())
        }
        None => Site::Fixed(node.line, "the JSON is written with escapes"),
    };
    Some(Setting {
        family: Some(Family::V6),
        value: Some(value),
        line: Some(stream.line_at(at)),
        site,
        ..setting
    })
}

/// Where quotes are escaped, bytes of the value are not bytes of the text.
fn is_verbatim(node: &Node) -> bool {
    matches!(node.value, Value::Scalar(_, Style::Block | Style::Single))
}

/// The bytes of the text that a key of JSON has.
fn text_of(stream: &Stream, node: &Node, key: &str) -> Option<Range<usize>> {
    if !is_verbatim(node) {
        return None;
    }
    let text = &stream.text[node.range.clone()];
    let key = format!("\"{key}\"");
    let behind = text.find(&key)? + key.len();
    let value = text[behind..].trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    let start = text.len() - value.len();
    let length = value.find(['"', '\\', '\n'])?;
    value[length..].starts_with('"').then_some(())?;
    Some(node.range.start + start..node.range.start + start + length)
}
