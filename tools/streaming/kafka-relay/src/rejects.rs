//! Messages that could not go on.

use cli::Error;
use kafka::Outgoing;
use model::Reject;

use crate::form::Bad;
use crate::job::Rejected;
use crate::progress::Result;
use crate::target::Target;

/// Where they go.
pub(crate) enum Rejects {
    /// Nowhere: the run ends at the first.
    None,
    File(cli::Rejects),
    Topic(String),
}

/// One of them, as it came.
pub(crate) struct Rejection<'a> {
    /// Its number among what was read.
    pub(crate) line: u64,
    pub(crate) bad: &'a Bad,
    /// The line, or of one that is too long its beginning.
    pub(crate) row: &'a [u8],
    pub(crate) row_bytes: u64,
    /// The message it was, if it came from a topic.
    pub(crate) message: Option<&'a kafka::Message<'a>>,
}

impl Rejects {
    pub(crate) fn open(where_to: Option<&Rejected>) -> cli::Result<Self> {
        Ok(match where_to {
            None => Self::None,
            Some(Rejected::Topic(name)) => Self::Topic(name.clone()),
            Some(Rejected::File(path)) => Self::File(cli::Rejects::create(path)?),
        })
    }

    /// Puts one aside.
    ///
    /// # Errors
    /// Fails with the message's own fault if there is no place for it.
    pub(crate) fn put(&mut self, doing: &str, rejection: &Rejection, target: Option<&Target>) -> Result<()> {
        let Rejection { line, bad, row, row_bytes, message } = rejection;
        match (self, target) {
            (Self::File(file), _) => Ok(file.put(&Reject {
                field: bad.field.clone(),
                error: bad.error.clone(),
                ..Reject::of(*line, row, *row_bytes)
            })?),
            (Self::Topic(name), Some(target)) => {
                let error = bad.to_string();
                let line = line.to_string();
                let mut headers: Vec<(&[u8], Option<&[u8]>)> = Vec::new();
                headers.extend(message.iter().flat_map(|message| message.headers()));
                headers.extend([(&b"error"[..], Some(error.as_bytes())), (b"line", Some(line.as_bytes()))]);
                target.send_aside(&Outgoing {
                    topic: name,
                    key: message.and_then(|message| message.key()),
                    value: message.map_or(Some(row), |message| message.value()),
                    time_ms: message.and_then(kafka::Message::time_ms),
                    headers: &headers,
                    partition: None,
                })
            }
            _ => Err(Error::invalid(format!("{doing} {line}"), bad)
                .hint("--reject FILE puts bad messages aside")
                .into()),
        }
    }

    pub(crate) fn flush(&mut self) -> cli::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            _ => Ok(()),
        }
    }
}
