//! CIDR maths.
//!
//! [`Cidr`] is parsed strictly: the prefix length must be there, and host
//! bits that are set are an error which names the network that was meant.
//!
//! ```
//! let pods: net::Cidr = "10.244.0.0/16".parse().unwrap();
//! assert!(pods.contains("10.244.3.7".parse().unwrap()));
//! let wrong = "192.167.0.0/12".parse::<net::Cidr>().unwrap_err();
//! assert_eq!(wrong.to_string(), "192.167.0.0/12 has host bits set: the network is 192.160.0.0/12");
//! ```

mod cidr;
pub mod limits;
mod reserved;

pub use cidr::{Cidr, Error, Family, families};
pub use reserved::{Reserved, reserved};
