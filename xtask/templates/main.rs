//! Tells whether the input mentions a word.
//!
//! Replace this with what the command is for: its summary, the idea, and
//! examples, which are run as tests.
//!
//! ```console
//! $ echo 'all is well' | {{tool}} well && echo found
//! found
//! ```

use std::process::ExitCode;

use clap::Parser;
use cli::{Answer, Input};

/// Tell whether the input mentions a word
#[derive(Parser)]
struct Args {
    /// The word to look for
    word: String,
    /// The text; standard input if `-`
    #[arg(default_value = "-")]
    file: Input,
}

fn main() -> ExitCode {
    cli::main(&cli::tool!(), run)
}

fn run(args: &Args, _out: &mut cli::Out) -> cli::Result {
    let text = args.file.read_text(1 << 20)?;
    Ok(Answer::from(mentions(&text, &args.word)))
}

fn mentions(text: &str, word: &str) -> bool {
    text.split_whitespace().any(|found| found == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_word_is_no_mention() {
        assert!(mentions("all is well", "well"));
        assert!(!mentions("farewell", "well"));
    }
}
