//! The header of a command's source, the one place its prose is written.
//!
//! It is a summary line, paragraphs, sections (`# Name`) and examples
//! (fences marked `console`). The man page prints all of it, `--help` its
//! examples, the README its summary.

/// One block of a header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Block<'a> {
    /// `# Name`
    Section(&'a str),
    /// Lines that flow together.
    Paragraph(Vec<&'a str>),
    /// One entry of a list.
    Item(Vec<&'a str>),
    /// Lines that stay as they are.
    Verbatim(Vec<&'a str>),
}

/// The blocks of the `//!` header at the top of a source file.
pub(crate) fn blocks(source: &str) -> Vec<Block<'_>> {
    let mut lines = source
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .peekable();
    let mut blocks = Vec::new();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        if let Some(name) = line.strip_prefix("# ") {
            blocks.push(Block::Section(name));
        } else if line.starts_with("```") {
            blocks
                .push(Block::Verbatim(lines.by_ref().take_while(|line| !line.starts_with("```")).collect()));
        } else {
            let item = line.strip_prefix("- ");
            let mut text = vec![item.unwrap_or(line).trim()];
            while let Some(more) =
                lines.next_if(|line| !line.is_empty() && !line.starts_with("- ") && !line.starts_with("```"))
            {
                text.push(more.trim());
            }
            blocks.push(if item.is_some() { Block::Item(text) } else { Block::Paragraph(text) });
        }
    }
    blocks
}

/// The examples of a header: its verbatim blocks that show a prompt.
pub(crate) fn examples(source: &str) -> String {
    let shown = blocks(source).into_iter().filter_map(|block| match block {
        Block::Verbatim(lines) if lines.iter().any(|line| line.starts_with("$ ")) => Some(lines),
        _ => None,
    });
    let indented = shown.map(|lines| lines.iter().map(|line| format!("  {line}\n")).collect::<String>());
    indented.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_falls_into_its_blocks_and_ends_where_code_begins() {
        let source = "//! One.\n//!\n//! Two\n//! lines.\n//!\n//! # Files\n//! - a\n//!   b\n//! - c\n//!\n//! ```console\n//! $ x\n//! ```\n\nuse std;\n//! not this";
        assert_eq!(
            blocks(source),
            [
                Block::Paragraph(vec!["One."]),
                Block::Paragraph(vec!["Two", "lines."]),
                Block::Section("Files"),
                Block::Item(vec!["a", "b"]),
                Block::Item(vec!["c"]),
                Block::Verbatim(vec!["$ x"]),
            ]
        );
        assert_eq!(examples(source), "  $ x\n");
    }
}
