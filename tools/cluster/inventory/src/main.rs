//! Validates the platform document, or shows it as others need it.
//!
//! `platform.yaml` is the one document that says what the cluster stands on:
//! balancers, control planes, workers, management controllers, networks,
//! versions. `validate` tells everything that is wrong with it at once, each
//! error with line, column and field:
//!
//! ```console
//! $ inventory validate platform.yaml && echo fine
//! fine
//! $ sed 's/roles: .worker./rolls: [worker]/' platform.yaml | inventory validate
//! inventory: reading standard input: line 27 column 5: hosts[5].roles: missing
//! inventory: reading standard input: line 27 column 16: hosts[5].rolls: unknown key; did you mean `roles`?
//! inventory: reading standard input: line 28 column 5: hosts[6].roles: missing
//! inventory: reading standard input: line 28 column 16: hosts[6].rolls: unknown key; did you mean `roles`?
//! ```
//!
//! The other verbs show it. Records of hosts go to whatever works on hosts;
//! `get` answers a script's question; the rest are the files of others:
//!
//! ```console
//! $ inventory select 'role=worker && zone!=b' platform.yaml | cut -c 1-60
//! {"record":"host","cluster":"lab","name":"w1","roles":["worke
//! $ inventory get 'network.vips[0]' platform.yaml
//! 10.77.0.100
//! $ inventory hosts --select role=lb platform.yaml
//! 10.77.0.11 lb1
//! 10.77.0.12 lb2
//! ```
//!
//! Linked into an Ansible inventory it is a dynamic inventory script: called
//! with `--list` or `--host` it reads the file named by `BAREPLANE_PLATFORM`,
//! else `platform.yaml` beside the link:
//!
//! ```sh
//! $ ln -s /usr/bin/inventory inventory/lab && cp platform.yaml inventory/
//! $ ansible -i inventory/lab control_plane --list-hosts
//! ```
//!
//! # Selecting
//!
//! An expression joins `KEY=VALUE` and `KEY!=VALUE` with `&&`, `||`, `!` and
//! parentheses. A key is `role`, `name`, `os`, `ip`, `ip6`, `interface`,
//! `kubernetes` or a label; `*` in a value stands for any text.
//!
//! # Ansible groups
//!
//! `balancers`, `control_plane`, `etcd`, `workers`, `k8s_cluster` for the
//! last three, and one group `KEY_VALUE` a label, such as `zone_a`.
//!
//! # Exit status
//!
//! 0 valid, found, the same; 1 no host selected, nothing at that path, or
//! the two documents differ; 2 the document is wrong.
//!
//! # Files
//!
//! `platform.yaml` is described in bareplane-platform(5).

mod ansible;
mod diff;
mod discovery;
mod source;
mod text;
mod value;

use std::process::ExitCode;

use clap::{Args as Group, Parser, Subcommand};
use cli::{Answer, Error, Input};
use model::HostEntry;
use platform::{Platform, Selector};

/// Validate the platform document or show it as others need it
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    script: Script,
}

/// What Ansible asks an inventory script.
#[derive(Group)]
struct Script {
    /// Print the Ansible inventory, when called by Ansible
    #[arg(long)]
    list: bool,
    /// Print the variables of one host, when called by Ansible
    #[arg(long, value_name = "NAME", conflicts_with = "list")]
    host: Option<String>,
}

#[derive(Subcommand)]
enum Verb {
    /// Tell everything that is wrong with the document
    Validate {
        /// The platform document; standard input if `-`
        #[arg(default_value = "-")]
        file: Input,
    },
    /// Print it as sorted JSON with every default filled in
    Normalise {
        /// The platform document; standard input if `-`
        #[arg(default_value = "-")]
        file: Input,
    },
    /// Print the value at a path
    Get {
        /// The path, such as `network.vips[0]`; hosts also go by name: `hosts[cp1].ip`
        path: String,
        /// The platform document; standard input if `-`
        #[arg(default_value = "-")]
        file: Input,
    },
    /// Print the records of the hosts an expression means
    Select {
        /// The expression, such as `role=worker && zone!=b`
        expression: Selector,
        /// The platform document; standard input if `-`
        #[arg(default_value = "-")]
        file: Input,
    },
    /// Print the records of all hosts
    Nodes(View),
    /// Print lines for /etc/hosts
    Hosts(View),
    /// Print entries for `ssh_config`
    SshConfig(View),
    /// Print what Ansible asks an inventory script
    Ansible {
        #[command(flatten)]
        script: Script,
        /// The platform document; by default as when called by Ansible
        file: Option<Input>,
    },
    /// Print Prometheus targets for file-based service discovery
    PrometheusSd {
        /// The port the hosts are scraped at
        #[arg(long, value_name = "PORT", default_value_t = 9100)]
        port: u16,
        #[command(flatten)]
        view: View,
    },
    /// Print the hosts for Zabbix low-level discovery
    Zabbix(View),
    /// Tell in what two documents differ
    Diff {
        /// The first document; standard input if `-`
        before: Input,
        /// The second document; standard input if `-`
        after: Input,
    },
}

/// Some hosts of a document.
#[derive(Group)]
struct View {
    /// Show only the hosts this expression means
    #[arg(long, value_name = "EXPR")]
    select: Option<Selector>,
    /// The platform document; standard input if `-`
    #[arg(default_value = "-")]
    file: Input,
}

impl View {
    fn hosts(&self) -> cli::Result<Vec<HostEntry>> {
        let platform = self.file.platform()?;
        let wanted = |host: &HostEntry| self.select.as_ref().is_none_or(|select| select.matches(host));
        Ok(platform.entries().filter(wanted).collect())
    }
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, out: &mut cli::Out) -> cli::Result {
    let Some(verb) = &args.verb else { return script(&args.script, None, out) };
    match verb {
        Verb::Validate { file } => file.platform().map(|_| Answer::Yes),
        Verb::Normalise { file } => show(&value::normalised(&file.platform()?)?, out),
        Verb::Get { path, file } => match value::at(&file.platform()?, path)? {
            Some(found) => show(&found, out),
            None => Ok(Answer::No),
        },
        Verb::Select { expression, file } => {
            records(file.platform()?.entries().filter(|host| expression.matches(host)), out)
        }
        Verb::Nodes(view) => records(view.hosts()?, out),
        Verb::Hosts(view) => {
            let text = text::hosts(&view.file.platform()?, view.select.as_ref());
            out.write(text.as_bytes())?;
            Ok(Answer::from(!text.is_empty()))
        }
        Verb::SshConfig(view) => lines(&view.hosts()?, text::ssh_config, out),
        Verb::Ansible { script: asked, file } => script(asked, file.as_ref(), out),
        Verb::PrometheusSd { port, view } => lines(&view.hosts()?, |h| discovery::prometheus(h, *port), out),
        Verb::Zabbix(view) => lines(&view.hosts()?, discovery::zabbix, out),
        Verb::Diff { before, after } => {
            if before == after && *before == Input::Stdin {
                return Err(Error::invalid("reading arguments", "standard input can be one document only"));
            }
            let found = diff::differences(&before.platform()?, &after.platform()?)?;
            found.iter().try_for_each(|difference| out.emit(difference))?;
            Ok(Answer::from(found.is_empty()))
        }
    }
}

/// Answers Ansible, from the file given or the one it is set up with.
fn script(asked: &Script, file: Option<&Input>, out: &mut cli::Out) -> cli::Result {
    if !asked.list && asked.host.is_none() {
        let hint = "try `inventory validate platform.yaml`, or --help";
        return Err(Error::invalid("reading arguments", "a verb, --list or --host is missing").hint(hint));
    }
    let platform: Platform = match file {
        Some(file) => file.platform()?,
        None => source::of_script()?.platform()?,
    };
    match &asked.host {
        None => show(&ansible::list(&platform), out),
        Some(name) => match ansible::host(&platform, name) {
            Some(variables) => show(&variables, out),
            None => Err(Error::invalid("reading arguments", format!("no host is called {name}"))),
        },
    }
}

fn records(hosts: impl IntoIterator<Item = HostEntry>, out: &mut cli::Out) -> cli::Result {
    let mut any = Answer::No;
    for host in hosts {
        any = Answer::Yes;
        out.emit(&host)?;
    }
    Ok(any)
}

fn lines(hosts: &[HostEntry], render: impl Fn(&[HostEntry]) -> String, out: &mut cli::Out) -> cli::Result {
    out.write(render(hosts).as_bytes())?;
    Ok(Answer::from(!hosts.is_empty()))
}

/// Text as it is, all else as JSON.
fn show(value: &serde_json::Value, out: &mut cli::Out) -> cli::Result {
    let shown = match value {
        serde_json::Value::String(text) => format!("{text}\n"),
        other => format!("{other:#}\n"),
    };
    out.write(shown.as_bytes())?;
    Ok(Answer::Yes)
}
