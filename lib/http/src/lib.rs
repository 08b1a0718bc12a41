//! HTTP for commands: one call, one deadline, one judgement.
//!
//! A [`Client`] knows whom to trust and who we are. [`Client::send`] makes a
//! call that ends at its deadline, whatever the other side does: name,
//! connection, handshake, answer and body all count. What comes back is a
//! [`Response`] whose body is read up to a bound, or as a stream. An
//! [`Error`] already knows whether another try could help ([`model::Fault`])
//! and has a word for records ([`Error::word`]).
//!
//! Redirects are not followed unless asked for, proxies not used, TLS
//! (rustls with ring) is verified unless [`Trust::Anybody`] says otherwise.
//!
//! ```
//! use std::time::{Duration, Instant};
//! let client = http::Client::new(&http::Options::default())?;
//! // Port 1 of this machine: nobody listens.
//! let soon = Instant::now() + Duration::from_secs(1);
//! let error = client.get("http://127.0.0.1:1/healthz", soon).unwrap_err();
//! assert_eq!(error.word(), "refused");
//! # Ok::<(), http::Error>(())
//! ```
//!
//! Calls block. A client may be shared between threads, but not be used
//! inside an async runtime.

mod client;
mod error;
mod request;
mod response;
mod retry_after;
mod trust;

pub use client::{Client, Options};
pub use error::{Error, Result};
pub use request::Request;
pub use response::{Reader, Response};
pub use trust::{Identity, Token, Trust};
