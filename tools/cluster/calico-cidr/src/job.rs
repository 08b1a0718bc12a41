//! What is wanted of a manifest, and what comes of it.

use calico::{Form, Wanted};
use clap::Args;
use cli::{Context, Error, Input};
use model::Status;
use net::{Cidr, Family};
use platform::{Encap, Platform};

use crate::pools::{self, Pool};
use crate::{LIMIT_BYTES, check, judge, parse, settings};

/// What is judged, and by which pools.
#[derive(Args)]
pub(crate) struct Source {
    /// The pools there are: `kubectl get ippools -o json`
    #[arg(long, value_name = "FILE")]
    pub(crate) pools: Option<Input>,
    /// The manifest; standard input if `-`
    #[arg(default_value = "-")]
    pub(crate) file: Input,
}

/// What is set, and where.
#[derive(Args)]
pub(crate) struct Job {
    #[command(flatten)]
    values: Values,
    #[command(flatten)]
    pub(crate) source: Source,
}

/// What the manifest should say.
#[derive(Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Values {
    /// Take the values of this platform document
    #[arg(long, value_name = "FILE")]
    platform: Option<Input>,
    /// The pods' network; once a family
    #[arg(long, value_name = "NETWORK")]
    cidr: Vec<Cidr>,
    /// The wrapping: none, ipip, ipip-cross-subnet, vxlan, vxlan-cross-subnet
    #[arg(long, value_name = "WORD", value_parser = calico::encap_named)]
    encap: Option<Encap>,
    /// How a node's address is found, such as kubernetes-internal-ip or cidr=10.0.0.0/24
    #[arg(long, value_name = "METHOD", value_parser = calico::autodetect)]
    autodetect: Option<String>,
    /// The prefix length of a node's block: 20 to 32, 116 to 128 for IPv6
    #[arg(long, value_name = "BITS", value_parser = block_size)]
    block_size: Vec<u8>,
}

fn block_size(text: &str) -> Result<u8, String> {
    let size = text.parse().ok().filter(|size| check::is_block_size(*size));
    size.ok_or_else(|| format!("`{text}` is not 20 to 32 (IPv4) or 116 to 128 (IPv6)"))
}

impl Source {
    pub(crate) fn pools(&self) -> cli::Result<Vec<Pool>> {
        let Some(input) = &self.pools else { return Ok(Vec::new()) };
        pools::parse(&input.read(LIMIT_BYTES)?)
            .invalid(format!("reading `kubectl get ippools -o json` from {input}"))
    }
}

impl Job {
    /// The manifest before and after; none if its pool would be in the way of something.
    pub(crate) fn edited(&self) -> cli::Result<Option<(String, String)>> {
        let (values, file) = (&self.values, &self.source.file);
        one_standard_input([Some(file), self.source.pools.as_ref(), values.platform.as_ref()])?;
        let platform = values.platform.as_ref().map(Input::platform).transpose()?;
        let pools = self.source.pools()?;
        let before = file.read_text(LIMIT_BYTES)?;
        self.fits(&before)?;
        let after =
            calico::set(&before, &values.wanted(platform.as_ref())?).doing(format!("editing {file}"))?;
        let findings = judge(&after, file, platform.as_ref(), &pools)?;
        let (refused, told): (Vec<_>, Vec<_>) = findings
            .into_iter()
            .filter(check::is_about_set)
            .partition(|finding| finding.status == Status::Fail);
        for finding in refused.iter().chain(&told) {
            let about = finding.current.as_deref().unwrap_or_default();
            let message = format!("{} {about}: {}", finding.target, finding.why);
            finding.fix.as_ref().map_or_else(|| cli::warn(&message), |fix| cli::warn_hint(&message, fix));
        }
        Ok(refused.is_empty().then_some((before, after)))
    }

    /// Canal has no place for some values.
    fn fits(&self, text: &str) -> cli::Result<()> {
        let stream = parse(text, &self.source.file)?;
        let canal = settings(&stream, &self.source.file)?.iter().all(|setting| setting.form == Form::Canal);
        let values = &self.values;
        if canal && (values.encap.is_some() || values.autodetect.is_some() || !values.block_size.is_empty()) {
            let why = "in canal.yaml packets and addresses are flannel's: --cidr alone has a place there";
            return Err(Error::invalid(format!("editing {}", self.source.file), why)
                .hint("edit \"Backend\" in net-conf.json"));
        }
        Ok(())
    }
}

impl Values {
    /// The platform's values, and those that were named in place of them.
    fn wanted(&self, platform: Option<&Platform>) -> cli::Result<Wanted> {
        let mut wanted = platform.map(Wanted::by).unwrap_or_default();
        for family in [Family::V4, Family::V6] {
            let mut cidrs = self.cidr.iter().filter(|cidr| cidr.family() == family);
            if let Some(cidr) = cidrs.next() {
                wanted.cidrs.retain(|other| other.family() != family);
                wanted.cidrs.push(*cidr);
            }
            if cidrs.next().is_some() {
                return Err(Error::invalid(
                    "reading arguments",
                    format!("--cidr is given twice for {family}"),
                ));
            }
        }
        wanted.encap = self.encap.or(wanted.encap);
        wanted.autodetect = self.autodetect.clone().or(wanted.autodetect);
        for size in &self.block_size {
            let place = if *size <= 32 { &mut wanted.block_size } else { &mut wanted.block_size6 };
            *place = Some(*size);
        }
        Ok(wanted)
    }
}

pub(crate) fn one_standard_input(inputs: [Option<&Input>; 3]) -> cli::Result<()> {
    if inputs.into_iter().flatten().filter(|input| **input == Input::Stdin).count() > 1 {
        return Err(Error::invalid("reading arguments", "standard input can be one file only"));
    }
    Ok(())
}
