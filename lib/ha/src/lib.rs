//! What a pair of load balancers does when something breaks, known before it
//! breaks: from its timers ([`Timing`]) or from its files ([`lint`]).
//!
//! VRRP moves an address in two ways, and every fault takes one of them:
//!
//! ```text
//! graceful   the holder says priority 0      → the backup waits skew
//! silent     the holder says nothing more    → the backup waits 3 × advert + skew
//!            since its last advert, 0 … advert ago
//! skew     = (256 - the backup's priority) / 256 × (advert in version 3, 1 s in version 2)
//! ```
//!
//! (RFC 5798 section 6.1.) What keepalived must find out by asking costs the
//! asking on top: that is most of an outage, and what [`Detection`] describes.
//!
//! ```
//! use ha::{Detection, Timing, Version};
//! let watched = Detection::Watch { interval_ms: 100, timeout_ms: 100, fall: 3 };
//! let timing = Timing { version: Version::V3, advert_ms: 100, priority: 253, preempt: false, detection: watched };
//! let cable = timing.predictions().into_iter().find(|p| p.case == "carrier");
//! assert_eq!(cable.map(|p| (p.min_ms, p.max_ms)), Some((201, Some(301))));
//! ```

pub mod lint;
mod timing;

pub use timing::{Detection, Timing, Version};
