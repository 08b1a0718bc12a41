//! Amazon's signatures and credentials: what every one of its services wants.
//!
//! A service is a signature over an HTTP request, and little else: [`Signing`]
//! makes the headers, whoever sends the request does the rest.

mod credentials;
mod sign;

pub use credentials::Credentials;
pub use sign::{Signing, encode};
