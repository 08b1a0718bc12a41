//! What goes wrong with a lake.

use model::{Fault, Kind};

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder.
    #[error(transparent)]
    Files(#[from] files::Error),
    /// Encoding a file failed.
    #[error("encoding: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// An entry of the log is not one.
    #[error("{name}: {why}")]
    Log {
        /// The entry.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// What should be new is there, and is something else.
    #[error("{0} is there already, with something else in it")]
    Taken(String),
    /// Somebody else has committed these offsets meanwhile.
    #[error("{topic} partition {partition}: somebody else has committed up to offset {to} meanwhile")]
    Fenced {
        /// The topic.
        topic: String,
        /// Its partition.
        partition: String,
        /// Where the lake's rows of it end now.
        to: u64,
    },
    /// The bucket's server refused, or was not there.
    #[error("{what}: {source}")]
    S3 {
        /// What was asked for.
        what: String,
        /// What happened.
        source: http::Error,
    },
    /// The bucket's server said something else than was hoped for.
    #[error("{what}: {why}")]
    Store {
        /// What was asked for.
        what: String,
        /// What it said.
        why: String,
    },
    /// The address of the bucket's server is none.
    #[error("the endpoint is not https://HOST:PORT or http://HOST:PORT")]
    Endpoint,
    /// The URL is of no kind there is.
    #[error("`{0}` is neither file:PATH nor s3://BUCKET/PREFIX")]
    Url(String),
    /// A folder cannot be made from that column.
    #[error("{0}")]
    Partition(String),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Files(error) => error.kind(),
            Self::S3 { source, .. } => source.kind(),
            // What it says with 404 stays so.
            Self::Store { why, .. } if why.starts_with("NoSuch") => Kind::Invalid,
            // What it says late, or makes no sense, may not. What is encoded goes to a file of ours,
            // whose disk is full, mostly.
            Self::Store { .. } | Self::Parquet(_) => Kind::Unavailable,
            Self::Log { .. }
            | Self::Taken(_)
            | Self::Fenced { .. }
            | Self::Endpoint
            | Self::Url(_)
            | Self::Partition(_) => Kind::Invalid,
        }
    }
}

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;

pub(crate) fn at(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Files(files::Error::Io { path, source })
}
