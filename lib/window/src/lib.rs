//! Windows in event time.
//!
//! An [`Engine`] takes events one after the other, each with its time, its
//! key and a value for every aggregate, and hands out a [`Row`] for every
//! window and key once the watermark has passed the window's end. The same
//! events in the same order give the same rows, whatever the clock says and
//! however often the engine was saved and restored in between. It reads
//! nothing, writes nothing and asks no clock.
//!
//! The watermark of a partition is the latest time seen in it less the plan's
//! bound. An event that comes when its own partition's watermark has passed the
//! ends of all its windows is late and changes nothing (one of a session: when
//! it has passed the event itself), however far the other partitions are. The
//! engine's watermark, which closes windows, is that of the partition that is
//! farthest behind, unless it is idle. So partitions may be read in any order,
//! by several engines too: those of [`Engine::gathering`] judge and add up
//! parts, which others [`Engine::absorb`].
//!
//! [`Seen`] finds duplicates and [`Join`] pairs before they come to an engine.
//!
//! ```
//! use window::{Aggregate, Decimal, Emit, Engine, Input, Plan, Windows};
//!
//! let plan = Plan {
//!     windows: Windows::Tumbling { size_us: 60_000_000 },
//!     bound_us: 5_000_000,
//!     lateness_us: 0,
//!     emit: Emit::Final,
//!     aggregates: vec![Aggregate::Count, Aggregate::Sum],
//! };
//! let mut engine = Engine::new(plan)?;
//! let mut rows = Vec::new();
//! for (second, amount) in [(1, "0.1"), (59, "0.2"), (70, "7")] {
//!     let amount: Decimal = amount.parse()?;
//!     let values = [Input::Here, Input::Number(amount)];
//!     engine.push(0, second * 1_000_000, b"SE", &values, &mut |row| rows.push(row.values()));
//! }
//! assert_eq!(rows, [["2", "0.3"]]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aggregate;
mod bytes;
mod decimal;
mod distinct;
mod engine;
mod join;
mod plan;
mod quantile;
mod seal;
mod seen;
mod session;

pub use aggregate::{Aggregate, Input};
pub use decimal::{Decimal, NotExact};
pub use engine::{Engine, Fate, NoState, Row, merged, part_of};
pub use join::{Join, Side};
pub use plan::{Emit, NoPlan, Plan, Windows};
pub use seal::{Unsealed, open, seal};
pub use seen::Seen;
