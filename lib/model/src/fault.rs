//! Whether trying again could help.

/// What a failure means to whoever might try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bad usage, bad document, bad input: running it again changes nothing (status 2).
    Invalid,
    /// Refused, timed out, throttled, disk full: running it again may work (status 3).
    Unavailable,
}

/// An error that knows whether trying again could help.
///
/// Library crates implement it on their own error types; the command line
/// turns the answer into an exit status.
pub trait Fault: std::error::Error {
    /// What the failure means to whoever might try again.
    fn kind(&self) -> Kind;
}

/// The machine's own trouble is worth another try; a wrong path or missing
/// permission is not.
impl Fault for std::io::Error {
    fn kind(&self) -> Kind {
        use std::io::ErrorKind as E;
        match self.kind() {
            E::NotFound
            | E::PermissionDenied
            | E::AlreadyExists
            | E::InvalidInput
            | E::InvalidData
            | E::UnexpectedEof
            | E::NotADirectory
            | E::IsADirectory
            | E::DirectoryNotEmpty
            | E::ReadOnlyFilesystem
            | E::InvalidFilename
            | E::Unsupported => Kind::Invalid,
            _ => Kind::Unavailable,
        }
    }
}
