//! From the command line to an exit status.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command, Parser, value_parser};

use crate::args::COMMON;
use crate::message::{self, Voice};
use crate::{Error, Format, Out, Result, header, man};

/// Who the command is; made by [`tool!`](crate::tool).
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// Its name, as typed.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The source of its `main.rs`, for the header.
    pub source: &'static str,
    /// JSON Schema of what it reads.
    pub reads: &'static str,
    /// JSON Schema of what it writes.
    pub writes: &'static str,
}

impl Tool {
    /// A command without header and schemas, for tests and examples.
    pub const fn bare(name: &'static str) -> Self {
        Self { name, version: "0", source: "", reads: "true\n", writes: "true\n" }
    }
}

const STATUSES: &str = "Exit status:\n  0 yes   1 no   2 invalid: fix it   3 unavailable: try again";

/// Runs a command and turns its answer into a status.
pub fn main<A: Parser>(tool: &Tool, run: impl FnOnce(&A, &mut Out) -> Result) -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    message::set(Voice { tool: tool.name, ..voice(&words) });
    match answer(tool, words, run) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            let mut hint = error.known_hint();
            let messages: Vec<_> = error.messages().collect();
            for (number, line) in messages.iter().enumerate() {
                let last = number + 1 == messages.len();
                message::error(line, if last { hint.take() } else { None });
            }
            ExitCode::from(error.status())
        }
    }
}

fn answer<A: Parser>(
    tool: &Tool,
    words: Vec<OsString>,
    run: impl FnOnce(&A, &mut Out) -> Result,
) -> Result<u8> {
    let mut command = command::<A>(tool, &words);
    if let Some(text) = asked_for_itself(tool, &mut command, &words)? {
        return print(&text);
    }
    let matches = match command.try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return print(&error.render().to_string());
        }
        Err(error) => return Err(usage(tool, &error)),
    };
    let args = A::from_arg_matches(&matches).map_err(|error| usage(tool, &error))?;
    let mut out = Out::new(matches.get_one("format").copied().unwrap_or_default());
    let answered = run(&args, &mut out);
    // Records made before a failure go out before its message.
    let flushed = out.flush();
    let answer = answered?;
    flushed?;
    Ok(answer.status())
}

/// The command with the options all commands share.
fn command<A: Parser>(tool: &Tool, words: &[OsString]) -> Command {
    // Only who asks pays for it: keepalived starts some commands every second.
    let asked = words.iter().any(|word| word == "--help" || word == "help");
    let examples = if asked { header::examples(tool.source) } else { String::new() };
    let tail = match examples.as_str() {
        "" => STATUSES.to_owned(),
        shown => format!("Examples:\n{shown}\n{STATUSES}"),
    };
    A::command().name(tool.name).bin_name(tool.name).version(tool.version).after_long_help(tail).args(
        [
            Arg::new("format")
                .long("format")
                .value_parser(value_parser!(Format))
                .default_value("json")
                .help("Print records as JSON lines or as a table for eyes"),
            Arg::new("log")
                .long("log")
                .value_name("FORM")
                .value_parser(["text", "json"])
                .default_value("text")
                .help("Print messages as text or as JSON lines"),
            Arg::new("verbose")
                .short('v')
                .long("verbose")
                .action(ArgAction::SetTrue)
                .help("Say more on standard error"),
            Arg::new("schema")
                .long("schema")
                .value_name("SIDE")
                .value_parser(["in", "out"])
                .help("Print the JSON Schema of what is read or written (as the first argument)"),
            Arg::new("generate")
                .long("generate")
                .value_name("WHAT")
                .value_parser(["man", "bash", "zsh", "fish"])
                .help("Print the man page or a shell's completions (as the first argument)"),
        ]
        .map(|arg| {
            let first = matches!(arg.get_id().as_str(), "schema" | "generate");
            arg.help_heading(COMMON).global(!first).exclusive(first)
        }),
    )
}

/// `--schema SIDE` and `--generate WHAT`, which need no other argument.
fn asked_for_itself(tool: &Tool, command: &mut Command, words: &[OsString]) -> Result<Option<String>> {
    let word = |n: usize| words.get(n).and_then(|word| word.to_str()).unwrap_or_default();
    let (option, value) = word(1).split_once('=').unwrap_or((word(1), word(2)));
    let shell = match (option, value) {
        ("--schema", "in") => return Ok(Some(tool.reads.to_owned())),
        ("--schema", "out") => return Ok(Some(tool.writes.to_owned())),
        ("--generate", "man") => {
            command.build();
            return Ok(Some(man::page(command, tool.source)));
        }
        ("--generate", "bash") => clap_complete::Shell::Bash,
        ("--generate", "zsh") => clap_complete::Shell::Zsh,
        ("--generate", "fish") => clap_complete::Shell::Fish,
        ("--schema", _) => return Err(Error::invalid("reading arguments", "--schema takes `in` or `out`")),
        ("--generate", _) => {
            return Err(Error::invalid(
                "reading arguments",
                "--generate takes `man`, `bash`, `zsh` or `fish`",
            ));
        }
        _ => return Ok(None),
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, command, tool.name, &mut script);
    Ok(Some(String::from_utf8_lossy(&script).into_owned()))
}

fn print(text: &str) -> Result<u8> {
    let mut out = Out::new(Format::Json);
    out.write(text.as_bytes())?;
    out.flush()?;
    Ok(0)
}

/// How to speak must be known before the arguments are parsed: they may be wrong.
fn voice(words: &[OsString]) -> Voice {
    let mut voice = Voice::default();
    let mut before = "";
    for word in words.iter().filter_map(|word| word.to_str()).take_while(|word| *word != "--") {
        voice.json |= word == "--log=json" || (before == "--log" && word == "json");
        voice.verbose |= word == "--verbose" || word == "-v";
        before = word;
    }
    voice
}

/// clap's paragraph as one line and a hint.
fn usage(tool: &Tool, error: &clap::Error) -> Error {
    let text = error.render().to_string();
    let mut paragraphs = text.split("\n\n").map(|paragraph| {
        paragraph.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    });
    let why = paragraphs.next().unwrap_or_default();
    let why = why.strip_prefix("error: ").unwrap_or(&why);
    let tip = paragraphs.find_map(|paragraph| paragraph.strip_prefix("tip: ").map(str::to_owned));
    let hint = tip.unwrap_or_else(|| format!("`{} --help` shows how it is used", tool.name));
    Error::invalid("reading arguments", why).hint(hint)
}
