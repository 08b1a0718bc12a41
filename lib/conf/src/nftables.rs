//! nftables(8) scripts: which chains of them can stop a packet.
//!
//! Not the whole language: tables, chains, their hooks and whether a verdict
//! in them drops. What stands in quotes or comments is passed over, and so is
//! whatever is not understood.

/// A chain a packet passes on its way through a hook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// Its table's family, such as `inet`.
    pub family: String,
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// The hook of a filter, such as `input`; none for a chain others jump to.
    pub hook: Option<String>,
    /// Whether it can end in a drop or a reject.
    pub stops: bool,
    jumps: bool,
}

/// A script, as far as it is understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// Its chains, in order.
    pub chains: Vec<Chain>,
    /// The paths of its `include` lines, which may be patterns.
    pub includes: Vec<String>,
}

#[derive(Clone)]
enum Block {
    Table(String, String),
    Chain(usize),
    Other,
}

impl Script {
    /// Reads scripts that are run one after the other.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut script = Self::default();
        for text in texts {
            script.read(text);
        }
        let stopping: Vec<(String, String)> =
            script.chains.iter().filter(|c| c.stops).map(|c| (c.family.clone(), c.table.clone())).collect();
        for chain in script.chains.iter_mut().filter(|chain| chain.jumps) {
            chain.stops |= stopping.iter().any(|(f, t)| *f == chain.family && *t == chain.table);
        }
        script
    }

    /// The filters of a hook that can stop a packet.
    pub fn stopping<'a>(&'a self, hook: &'a str) -> impl Iterator<Item = &'a Chain> {
        self.chains.iter().filter(move |chain| chain.stops && chain.hook.as_deref() == Some(hook))
    }

    fn read(&mut self, text: &str) {
        let mut blocks: Vec<Block> = Vec::new();
        let mut words: Vec<String> = Vec::new();
        for word in words_of(text) {
            match word.as_str() {
                "{" => {
                    let block = self.open(&words, blocks.last());
                    // A set within a rule: the rule goes on behind it.
                    if !matches!(block, Block::Other) {
                        words.clear();
                    }
                    blocks.push(block);
                }
                "}" => {
                    self.statement(&words, blocks.last());
                    if !matches!(blocks.pop(), Some(Block::Other)) {
                        words.clear();
                    }
                }
                ";" | "\n" if matches!(blocks.last(), Some(Block::Other)) => {}
                ";" | "\n" => {
                    self.statement(&words, blocks.last());
                    words.clear();
                }
                _ => words.push(word),
            }
        }
        self.statement(&words, blocks.last());
    }

    fn open(&mut self, words: &[String], around: Option<&Block>) -> Block {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let words = match words.as_slice() {
            ["add" | "create", rest @ ..] => rest,
            all => all,
        };
        match (words, around) {
            (["table", family, name], None) => Block::Table((*family).into(), (*name).into()),
            (["table", name], None) => Block::Table("ip".into(), (*name).into()),
            (["chain", name], Some(Block::Table(family, table))) => {
                Block::Chain(self.chain(family, table, name))
            }
            (["chain", family, table, name], None) => Block::Chain(self.chain(family, table, name)),
            (["chain", table, name], None) => Block::Chain(self.chain("ip", table, name)),
            _ => Block::Other,
        }
    }

    fn chain(&mut self, family: &str, table: &str, name: &str) -> usize {
        let known = self.chains.iter().position(|c| c.family == family && c.table == table && c.name == name);
        known.unwrap_or_else(|| {
            let (family, table, name) = (family.into(), table.into(), name.into());
            self.chains.push(Chain { family, table, name, ..Chain::default() });
            self.chains.len() - 1
        })
    }

    fn statement(&mut self, words: &[String], around: Option<&Block>) {
        let has = |word: &str| words.iter().any(|w| w == word);
        let first = words.first().map(String::as_str);
        let at = match (around, first) {
            (None, Some("include")) => {
                self.includes.extend(words.get(1).map(|path| path.trim_start_matches('"').to_owned()));
                return;
            }
            (None, Some("flush")) if has("ruleset") => {
                self.chains.clear();
                return;
            }
            (Some(Block::Chain(at)), _) => *at,
            (None, Some("add" | "insert" | "rule")) if has("rule") => {
                let after = words.iter().skip_while(|word| *word != "rule").skip(1);
                let names: Vec<&str> = after.take(3).map(String::as_str).collect();
                let [family, table, name] = names[..] else { return };
                self.chain(family, table, name)
            }
            _ => return,
        };
        let Some(chain) = self.chains.get_mut(at) else { return };
        match first {
            Some("type") if has("filter") => {
                chain.hook = words.iter().skip_while(|word| *word != "hook").nth(1).cloned();
            }
            Some("type") => {}
            _ => {
                chain.stops |= has("drop") || has("reject");
                chain.jumps |= has("jump") || has("goto") || has("vmap");
            }
        }
    }
}

/// Words, braces, semicolons and ends of lines.
fn words_of(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut comment, mut escaped) = (false, false, false);
    for character in text.chars() {
        if comment && character != '\n' {
            continue;
        }
        if escaped && character == '\n' {
            escaped = false;
            continue;
        }
        escaped = character == '\\' && !quoted;
        match character {
            '"' => {
                quoted = !quoted;
                // A name in quotes is no verdict: it keeps its first quote.
                if quoted {
                    word.push('"');
                }
            }
            _ if quoted && character != '\n' => word.push(character),
            '#' => comment = true,
            '\\' => {}
            '{' | '}' | ';' | '\n' => {
                (quoted, comment) = (false, false);
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
                words.push(character.to_string());
            }
            _ if character.is_whitespace() => {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            }
            // `{ accept, drop : …}` of verdict maps.
            ',' | ':' => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            _ => word.push(character),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stopping(text: &str, hook: &str) -> Vec<String> {
        let script = Script::parse([text]);
        script.stopping(hook).map(|c| format!("{} {} {}", c.family, c.table, c.name)).collect()
    }

    #[test]
    fn a_policy_a_verdict_and_a_jump_to_one_stop_packets() {
        let text = "#!/usr/sbin/nft -f\nflush ruleset\n\ntable inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy drop;\n\t\ttcp dport { 22, 80 } accept\n\t}\n\tchain forward {\n\t\ttype filter hook forward priority 0\n\t\tjump last\n\t}\n\tchain last { counter reject with icmp type admin-prohibited; }\n\tchain output { type filter hook output priority 0; }\n}\n";
        assert_eq!(stopping(text, "input"), ["inet filter input"]);
        assert_eq!(stopping(text, "forward"), ["inet filter forward"]);
        assert!(stopping(text, "output").is_empty());
    }

    #[test]
    fn a_script_that_lets_everything_through_stops_nothing() {
        let text = "table inet filter {\n chain input {\n  type filter hook input priority 0; policy accept; # drop\n  tcp dport 1 accept comment \"drop\"\n }\n}\ntable ip nat { chain pre { type nat hook prerouting priority 0; } }\n";
        assert!(stopping(text, "input").is_empty(), "{:?}", Script::parse([text]));
    }

    #[test]
    fn commands_say_the_same_as_blocks() {
        let text = "add table inet t\nadd chain inet t in { type filter hook input priority 0; }\nadd rule inet t in tcp dport 25 drop\ninclude \"/etc/nftables.d/*.nft\"\n";
        assert_eq!(stopping(text, "input"), ["inet t in"]);
        assert_eq!(Script::parse([text]).includes, ["/etc/nftables.d/*.nft"]);
    }

    #[test]
    fn a_flush_forgets_what_was_before() {
        assert!(
            stopping(
                "table ip f { chain i { type filter hook input priority 0; policy drop; } }\nflush ruleset\n",
                "input"
            )
            .is_empty()
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "([a-z]{1,5}|table|chain|inet|type|hook|[{};\n\"#\\\\ ]){0,60}") {
            let script = Script::parse([text.as_str()]);
            prop_assert!(script.chains.len() <= text.len());
        }
    }
}
