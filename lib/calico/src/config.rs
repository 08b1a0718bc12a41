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
        if name != Name::Network {
            return Some(setting);
        }
        let bytes = network(stream, node);
        let value = bytes.clone().map(|bytes| stream.text[bytes].to_owned());
        let line = bytes.as_ref().map_or(node.line, |bytes| stream.line_at(bytes.start));
        let site = bytes.map_or(Site::Fixed(node.line, "no \"Network\" is found in it"), Site::Bytes);
        Some(Setting { family: Some(Family::V4), value, line: Some(line), site, ..setting })
    });
    found.collect()
}

/// The bytes of `"Network": "…"` in flannel's JSON.
fn network(stream: &Stream, node: &Node) -> Option<Range<usize>> {
    // Where quotes are escaped, bytes of the value are not bytes of the text.
    if !matches!(node.value, Value::Scalar(_, Style::Block | Style::Single)) {
        return None;
    }
    let text = &stream.text[node.range.clone()];
    let key = "\"Network\"";
    let behind = text.find(key)? + key.len();
    let value = text[behind..].trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    let start = text.len() - value.len();
    let length = value.find(['"', '\\', '\n'])?;
    value[length..].starts_with('"').then_some(())?;
    Some(node.range.start + start..node.range.start + start + length)
}
