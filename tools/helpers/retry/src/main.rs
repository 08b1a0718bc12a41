//! Runs a command again while it answers 3.
fn main() {}
