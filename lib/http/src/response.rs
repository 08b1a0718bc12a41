//! What comes back.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::{Buf, Bytes};
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

use crate::{Error, Result, retry_after};

/// So much of a refusal is quoted, bytes.
const QUOTED_BYTES: u64 = 512;

/// An answer whose body has not been read.
#[derive(Debug)]
pub struct Response {
    head: reqwest::Response,
    runtime: Arc<Runtime>,
    deadline: Instant,
}

impl Response {
    pub(crate) fn new(head: reqwest::Response, runtime: Arc<Runtime>, deadline: Instant) -> Self {
        Self { head, runtime, deadline }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.head.status().as_u16()
    }

    /// A header; `None` if it is missing or no text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers().get(name)?.to_str().ok()
    }

    /// How long the body is, bytes; `None` if the server does not say.
    pub fn length(&self) -> Option<u64> {
        self.head.content_length()
    }

    /// How long the server asks to wait; `None` if it does not say.
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after::parse(self.header("retry-after")?, SystemTime::now())
    }

    /// The server's clock, to the second; `None` if it does not say.
    pub fn date(&self) -> Option<SystemTime> {
        httpdate::parse_http_date(self.header("date")?).ok()
    }

    /// The answer, if its status is one of success (2xx).
    ///
    /// # Errors
    /// [`Error::Status`] with the beginning of the body otherwise.
    pub fn success(self) -> Result<Self> {
        let status = self.status();
        if (200..300).contains(&status) {
            return Ok(self);
        }
        let retry_after = self.retry_after();
        let mut body = Vec::new();
        // The status is the answer; a body that breaks off changes nothing.
        let _ = self.reader().take(QUOTED_BYTES).read_to_end(&mut body);
        let text = String::from_utf8_lossy(&body);
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let text = text.chars().filter(|c| !c.is_control()).collect();
        Err(Error::Status { status, retry_after, text })
    }

    /// The whole body, of at most `limit_bytes`.
    ///
    /// # Errors
    /// Fails if it is longer, breaks off, or is not there by the deadline.
    pub fn bytes(self, limit_bytes: u64) -> Result<Vec<u8>> {
        let mut reader = self.reader();
        let mut body = Vec::new();
        while let Some(piece) = reader.piece()? {
            if (body.len() + piece.len()) as u64 > limit_bytes {
                return Err(Error::TooLong { limit_bytes });
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// The whole body as UTF-8, of at most `limit_bytes`.
    ///
    /// # Errors
    /// As [`Response::bytes`], and if it is not UTF-8.
    pub fn text(self, limit_bytes: u64) -> Result<String> {
        String::from_utf8(self.bytes(limit_bytes)?).map_err(|error| Error::Garbled(error.to_string()))
    }

    /// The whole body as JSON, of at most `limit_bytes`.
    ///
    /// # Errors
    /// As [`Response::bytes`], and if it is not JSON of that shape.
    pub fn json<T: DeserializeOwned>(self, limit_bytes: u64) -> Result<T> {
        serde_json::from_slice(&self.bytes(limit_bytes)?).map_err(|error| Error::Garbled(error.to_string()))
    }

    /// The body as it arrives, under the call's deadline.
    pub fn reader(self) -> Reader {
        Reader { response: self, piece: Bytes::new() }
    }
}

/// A body as it arrives. A failure is an [`io::Error`] around an [`Error`].
#[derive(Debug)]
pub struct Reader {
    response: Response,
    /// What has arrived and is not read yet.
    piece: Bytes,
}

impl Reader {
    fn piece(&mut self) -> Result<Option<Bytes>> {
        let Response { head, runtime, deadline } = &mut self.response;
        let next = runtime.block_on(async {
            tokio::time::timeout_at((*deadline).into(), head.chunk()).await.map_err(|_| Error::Timeout)
        });
        Ok(next??)
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.piece().map_err(io::Error::other)? {
                None => return Ok(0),
                Some(piece) => self.piece = piece,
            }
        }
        let length = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
