//! Waiting for a server, no longer than whoever asked is prepared to.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::Runtime;

use crate::{Error, Result};

/// How often somebody who waits is asked whether they still want to.
const TICK: Duration = Duration::from_millis(100);

type GiveUp = dyn Fn() -> Option<&'static str> + Send + Sync;

/// Until when a server is waited for; for ever by default.
#[derive(Clone, Default)]
pub struct Patience(Option<Arc<GiveUp>>);

impl Patience {
    /// Until this says why not, in a word.
    pub fn until(give_up: impl Fn() -> Option<&'static str> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(give_up)))
    }

    /// Why there is none left; none if there is.
    pub(crate) fn over(&self) -> Option<&'static str> {
        self.0.as_ref().and_then(|give_up| give_up())
    }

    /// Waits for what a server has to say.
    pub(crate) fn wait<T>(&self, runtime: &Runtime, future: impl Future<Output = T>) -> Result<T> {
        let mut future = pin!(future);
        {
            // What is there already needs no clock.
            let _inside = runtime.enter();
            if let Some(done) = future.as_mut().now_or_never() {
                return Ok(done);
            }
        }
        runtime.block_on(async {
            loop {
                if let Ok(done) = tokio::time::timeout(TICK, future.as_mut()).await {
                    return Ok(done);
                }
                if let Some(word) = self.over() {
                    return Err(Error::unavailable("the database has not answered yet").word(word));
                }
            }
        })
    }
}

impl fmt::Debug for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "bounded" } else { "for ever" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::runtime::Builder;

    #[test]
    fn what_never_comes_is_waited_for_until_somebody_gives_up() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let impatient = Patience::until(|| Some("deadline"));
        let told = impatient.wait(&runtime, std::future::pending::<()>()).unwrap_err();
        assert_eq!(told.word, Some("deadline"));
        assert_eq!(impatient.wait(&runtime, async { 1 }).unwrap(), 1, "what is there is taken");
    }
}
