//! What a manifest says, setting by setting.

use std::ops::Range;

use net::Family;
use yaml_splice::{Node, Stream};

use crate::{Error, config, env, operator};

/// How Calico is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// calico.yaml: a `DaemonSet` and its environment.
    Manifest,
    /// canal.yaml: flannel carries packets, Calico filters them.
    Canal,
    /// The Tigera operator's Installation.
    Operator,
}

/// What a setting is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// The pods' network.
    Cidr,
    /// The same, as flannel is told.
    Network,
    /// How packets are wrapped, in one word.
    Encap,
    /// How far IP in IP goes.
    Ipip,
    /// How far VXLAN goes.
    Vxlan,
    /// The prefix length of a node's block.
    BlockSize,
    /// How a node's address is found.
    Autodetect,
    /// Whether there is an address to be found.
    Address,
    /// Whether Calico handles IPv6.
    Support,
    /// The MTU.
    Mtu,
    /// Who tells the nodes about routes: bird, vxlan or none; with the
    /// operator, whether BGP does: Enabled, Disabled.
    Backend,
    /// Whether the plugin gives pods an address of IPv6: true, false.
    Plugin,
}

/// Whether a setting counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does.
    Active,
    /// It is there as a comment.
    Commented,
    /// Its name or its value is a comment, the other is not.
    Half,
    /// It is not there.
    Absent,
}

/// One setting: what is said about it, and where.
#[derive(Clone, Debug)]
pub struct Setting<'s> {
    /// The form of the manifest.
    pub form: Form,
    /// The object it is part of, such as `DaemonSet kube-system/calico-node`.
    pub object: String,
    /// What it is about.
    pub name: Name,
    /// The family of the addresses it is about; none if of both.
    pub family: Option<Family>,
    /// The variable, or the path in the object.
    pub field: String,
    /// What it says, in the form's own words, but for ways to find an address;
    /// none if it says nothing, or its value lies elsewhere.
    pub value: Option<String>,
    /// Whether it counts.
    pub state: State,
    /// The line, from 1; none if it is not there.
    pub line: Option<u32>,
    /// The line of another one of the same name, which does not count; none if there is none.
    pub other: Option<u32>,
    pub(crate) site: Site<'s>,
}

/// Where a setting's bytes are, or would be.
#[derive(Clone, Debug)]
pub(crate) enum Site<'s> {
    /// A value of its own.
    Scalar(&'s Node),
    /// Some bytes of a value.
    Bytes(Range<usize>),
    /// A place in a value, and what goes before and behind.
    Between(usize, String, String),
    /// Lines that are written anew: perhaps one with the name, and one with
    /// what goes before and behind the value.
    Pair(Option<(u32, String)>, (u32, String, String)),
    /// Lines to be added behind a line, up to the value.
    After(u32, String),
    /// It is not edited: the line, and why.
    Fixed(u32, &'static str),
}

/// Every setting of a manifest; those for IPv6 that are not there only if `six`.
///
/// # Errors
/// Fails if there is nothing of Calico in it.
pub fn settings<'s>(stream: &'s Stream<'_>, six: bool) -> Result<Vec<Setting<'s>>, Error> {
    let roots = || stream.documents.iter().map(|document| &document.root);
    let mut found = Vec::new();
    for root in roots() {
        found.extend(env::settings(stream, root, six));
        found.extend(operator::settings(stream, root, six));
    }
    if found.is_empty() {
        return Err(Error::None);
    }
    roots().for_each(|root| found.extend(config::settings(stream, root)));
    Ok(found)
}

/// An object's kind and name.
pub(crate) fn object(root: &Node) -> String {
    let text = |path: &[&str]| root.at(path).and_then(Node::text);
    let namespace = text(&["metadata", "namespace"]).map(|space| format!("{space}/")).unwrap_or_default();
    let (kind, name) = (text(&["kind"]).unwrap_or_default(), text(&["metadata", "name"]).unwrap_or_default());
    format!("{kind} {namespace}{name}")
}

/// Whether a list or mapping is written in lines, not in brackets.
pub(crate) fn in_lines(stream: &Stream, node: &Node) -> bool {
    let begun = &stream.text[node.range.clone()];
    !begun.is_empty() && !begun.starts_with(['[', '{'])
}

/// As many blanks as stand before an offset on its line.
pub(crate) fn indent(stream: &Stream, offset: usize) -> String {
    let start = stream.line(stream.line_at(offset)).start;
    " ".repeat(stream.text[start..offset].chars().count())
}
