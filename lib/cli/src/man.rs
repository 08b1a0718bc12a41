//! Man pages, from the command line's definition and the header's prose.

use std::fmt::Write;

use clap::{Arg, Command};

use crate::args::COMMON;
use crate::header::{Block, blocks};

/// The day of the release the pages belong to.
const DATE: &str = "2026-11-22";

/// The man page of a command, section 1, in `man(7)` macros.
pub(crate) fn page(command: &Command, source: &str) -> String {
    let name = command.get_name();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut page = format!(
        ".TH {} 1 {DATE} \"bareplane {}\" \"Bareplane\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n",
        escape(&name.to_uppercase()),
        command.get_version().unwrap_or_default(),
        escape(name),
        escape(&about),
    );
    let verbs = verbs(name, command);
    if verbs.is_empty() || !command.is_subcommand_required_set() {
        synopsis(&mut page, name, command);
    }
    for (words, verb) in &verbs {
        synopsis(&mut page, words, verb);
    }
    page.push_str(".SH DESCRIPTION\n");
    let blocks = blocks(source);
    let sections = blocks.iter().position(|block| matches!(block, Block::Section(_))).unwrap_or(blocks.len());
    let (description, sections) = blocks.split_at(sections);
    let (examples, prose): (Vec<_>, Vec<_>) =
        description.iter().partition(|b| matches!(b, Block::Verbatim(_)));
    prose.into_iter().for_each(|block| print(&mut page, block));
    page.push_str(".SH OPTIONS\n");
    options(&mut page, command, false);
    for (words, verb) in verbs {
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = write!(page, ".SS \"{}\"\n{}\n", escape(&words), sentence(&about));
        options(&mut page, verb, false);
    }
    page.push_str(".SS \"Common options\"\n");
    options(&mut page, command, true);
    sections.iter().for_each(|block| print(&mut page, block));
    if !sections.iter().any(|block| matches!(block, Block::Section("Exit status"))) {
        page.push_str(
            ".SH EXIT STATUS\n0 yes, 1 no, 2 invalid, 3 unavailable (trying again may help); see\n.BR bareplane (7).\n",
        );
    }
    if !examples.is_empty() {
        page.push_str(".SH EXAMPLES\n");
        examples.into_iter().for_each(|block| print(&mut page, block));
    }
    page.push_str(".SH SEE ALSO\n.BR bareplane (7)\n");
    page
}

/// Every verb of a command, verbs of verbs included, with the words that call it.
fn verbs<'a>(words: &str, command: &'a Command) -> Vec<(String, &'a Command)> {
    let mut found = Vec::new();
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help" && !verb.is_hide_set()) {
        let words = format!("{words} {}", verb.get_name());
        let below = verbs(&words, verb);
        if below.is_empty() || !verb.is_subcommand_required_set() {
            found.push((words, verb));
        }
        found.extend(below);
    }
    found
}

fn synopsis(page: &mut String, name: &str, command: &Command) {
    let mut words = format!("\\fB{}\\fR", escape(name));
    if own(command).any(|arg| !arg.is_positional()) {
        words.push_str(" [\\fIOPTIONS\\fR]");
    }
    for arg in own(command).filter(|arg| arg.is_positional()) {
        let word = format!("\\fI{}\\fR", escape(&value_name(arg)));
        let many = if arg.get_num_args().is_some_and(|n| n.max_values() > 1) { "..." } else { "" };
        let required = arg.is_required_set();
        let _ = if required { write!(words, " {word}{many}") } else { write!(words, " [{word}]{many}") };
    }
    if !page.ends_with(".SH SYNOPSIS\n") {
        page.push_str(".br\n");
    }
    let _ = writeln!(page, "{words}");
}

fn own(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !arg.is_hide_set() && !is_common(arg))
}

fn is_common(arg: &Arg) -> bool {
    arg.get_help_heading() == Some(COMMON) || matches!(arg.get_id().as_str(), "help" | "version")
}

fn options(page: &mut String, command: &Command, common: bool) {
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set() && is_common(arg) == common) {
        let mut names = Vec::new();
        if let Some(short) = arg.get_short() {
            names.push(format!("\\fB\\-{}\\fR", escape(&short.to_string())));
        }
        if let Some(long) = arg.get_long() {
            names.push(format!("\\fB\\-\\-{}\\fR", escape(long)));
        }
        let takes = arg.get_action().takes_values();
        let value = format!("\\fI{}\\fR", escape(&value_name(arg)));
        let head = match (names.is_empty(), takes) {
            (true, _) => value,
            (false, true) => format!("{} {value}", names.join(", ")),
            (false, false) => names.join(", "),
        };
        let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(page, ".TP\n{head}\n{}", sentence(&help));
        let defaults: Vec<_> = arg.get_default_values().iter().map(|v| v.to_string_lossy()).collect();
        if takes && !defaults.is_empty() && !arg.is_hide_default_value_set() {
            let _ = writeln!(page, "{}", text(&format!("Default: {}.", defaults.join(" "))));
        }
        let possible: Vec<_> = arg.get_possible_values().iter().map(|v| v.get_name().to_owned()).collect();
        if takes && !possible.is_empty() {
            let _ = writeln!(page, "{}", text(&format!("One of: {}.", possible.join(", "))));
        }
    }
}

fn value_name(arg: &Arg) -> String {
    match arg.get_value_names() {
        Some(names) => names.join(" "),
        None => arg.get_id().as_str().to_uppercase().replace('_', "-"),
    }
}

fn print(page: &mut String, block: &Block) {
    let _ = match block {
        Block::Section(name) => writeln!(page, ".SH {}", escape(&name.to_uppercase())),
        Block::Paragraph(lines) => {
            // mandoc objects to a paragraph macro right after a heading.
            let first = page.lines().last().is_some_and(|line| line.starts_with(".SH"));
            let macros = if first { "" } else { ".PP\n" };
            writeln!(page, "{macros}{}", text(&lines.join("\n")))
        }
        Block::Item(lines) => writeln!(page, ".IP \\(bu 2\n{}", text(&lines.join("\n"))),
        Block::Verbatim(lines) => {
            let first = page.lines().last().is_some_and(|line| line.starts_with(".SH"));
            let lines = lines.iter().map(|line| guard(&escape(line))).collect::<Vec<_>>().join("\n");
            let macros = if first { "" } else { ".PP\n" };
            writeln!(page, "{macros}.RS 4\n.nf\n{lines}\n.fi\n.RE")
        }
    };
}

/// Flowing text: Markdown's `code` and [`links`] in bold; a new line after
/// each sentence and before column 80, as man(7) sources have it.
fn text(markdown: &str) -> String {
    let plain = markdown.replace("[`", "`").replace("`]", "`");
    let mut lines = vec![String::new()];
    let mut bold = false;
    for word in plain.split_whitespace() {
        let mut shown = String::new();
        // Font changes do not span lines, so a word opens and closes its own.
        for (number, part) in word.split('`').enumerate() {
            bold ^= number > 0;
            let part = escape(part);
            match (bold, part.is_empty()) {
                (_, true) => {}
                (true, false) => shown.push_str(&format!("\\fB{part}\\fR")),
                (false, false) => shown.push_str(&part),
            }
        }
        let line = lines.last_mut().expect("there is always a line");
        let ended = line.ends_with(['.', '?', '!', ':']) && !line.ends_with("e.g.");
        if line.is_empty() {
            line.push_str(&shown);
        } else if ended || line.len() + shown.len() > 76 {
            lines.push(shown);
        } else {
            line.push(' ');
            line.push_str(&shown);
        }
    }
    lines.iter().map(|line| guard(line)).collect::<Vec<_>>().join("\n")
}

/// A help text as a sentence.
fn sentence(help: &str) -> String {
    let end = if help.is_empty() || help.ends_with(['.', ')', ':']) { "" } else { "." };
    text(&format!("{help}{end}"))
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('…', "...")
        .replace(['→'], "\\(->")
        .replace('≥', "\\(>=")
        .replace('≤', "\\(<=")
        .replace('×', "\\(mu")
        .replace('°', "\\(de")
        .replace('±', "\\(+-")
        .replace('–', "\\(en")
}

/// A line that begins like a request is not one.
fn guard(line: &str) -> String {
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() }
}
