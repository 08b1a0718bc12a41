//! How far a long command has come, for whoever watches.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Takes the line away, from its beginning.
const CLEAR: &str = "\r\x1b[K";

/// Whether a line stands at the foot of the terminal.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// One line at the foot of the terminal that standard error is. There is none
/// where records go to the terminal as well: they tell more.
#[derive(Debug)]
pub struct Progress {
    seen: bool,
}

impl Default for Progress {
    fn default() -> Self {
        Self { seen: io::stderr().is_terminal() && !io::stdout().is_terminal() }
    }
}

impl Progress {
    /// Says how far it has come, in place of what it said before.
    pub fn say(&self, text: impl AsRef<str>) {
        if self.seen {
            SHOWN.store(true, Ordering::Relaxed);
            let _ = write!(io::stderr().lock(), "{CLEAR}{}", text.as_ref());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let _ = io::stderr().lock().write_all(out_of_the_way().as_bytes());
    }
}

/// What a message begins with, so that it does not stand behind the line.
pub(crate) fn out_of_the_way() -> &'static str {
    if SHOWN.swap(false, Ordering::Relaxed) { CLEAR } else { "" }
}
