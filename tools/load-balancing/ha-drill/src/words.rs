//! A command given as one argument, split into its words.
//!
//! No shell is asked: a word is what stands between blanks; quotes of either
//! kind keep blanks; a backslash, except within single quotes, takes the next
//! character as it is. Nothing is expanded, and `;`, `|`, `>` and `$` are
//! characters like any other. Who wants a shell writes `sh -c '…'`.

use std::str::FromStr;

/// The words of a command, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words(pub(crate) Vec<String>);

impl FromStr for Words {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = Vec::new();
        let mut word: Option<String> = None;
        let mut quote = None;
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            match (letter, quote) {
                ('\'' | '"', None) => {
                    quote = Some(letter);
                    word.get_or_insert_default();
                }
                (_, Some(open)) if letter == open => quote = None,
                ('\\', None | Some('"')) => {
                    word.get_or_insert_default().push(letters.next().ok_or("ends in a backslash")?);
                }
                (_, None) if letter.is_whitespace() => words.extend(word.take()),
                _ => word.get_or_insert_default().push(letter),
            }
        }
        if quote.is_some() {
            return Err("a quote is not closed".into());
        }
        words.extend(word);
        if words.is_empty() { Err("no command".into()) } else { Ok(Self(words)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.parse::<Words>().unwrap().0
    }

    #[test]
    fn blanks_separate_and_quotes_keep_them() {
        assert_eq!(words(" ip  -n 'hap sw' link\tset "), ["ip", "-n", "hap sw", "link", "set"]);
        assert_eq!(words(r#"a"b c"d '' "it's""#), ["ab cd", "", "it's"]);
    }

    #[test]
    fn a_backslash_takes_the_next_character_except_in_single_quotes() {
        assert_eq!(words(r#"a\ b "\"" '\'"#), ["a b", "\"", "\\"]);
    }

    #[test]
    fn nothing_is_expanded() {
        assert_eq!(words("echo $HOME *; rm"), ["echo", "$HOME", "*;", "rm"]);
    }

    #[test]
    fn what_has_no_end_is_refused() {
        for text in ["", "  ", "'a", "a\"", "a\\"] {
            assert!(text.parse::<Words>().is_err(), "{text}");
        }
    }
}
