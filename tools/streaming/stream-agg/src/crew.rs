//! Work that several do and one takes in order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Tasks, numbered as they are given, and what came of them.
pub(crate) struct Crew<T, R> {
    state: Mutex<State<T, R>>,
    changed: Condvar,
}

struct State<T, R> {
    todo: VecDeque<(u64, T)>,
    done: BTreeMap<u64, R>,
    given: u64,
    taken: u64,
    over: bool,
}

impl<T, R> Crew<T, R> {
    pub(crate) fn new() -> Self {
        let state = State { todo: VecDeque::new(), done: BTreeMap::new(), given: 0, taken: 0, over: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// One more task.
    pub(crate) fn give(&self, task: T) {
        let mut state = self.state();
        let number = state.given;
        state.given += 1;
        state.todo.push_back((number, task));
        self.changed.notify_all();
    }

    /// How many were given and not taken.
    pub(crate) fn in_flight(&self) -> u64 {
        let state = self.state();
        state.given - state.taken
    }

    /// What came of the next one, if it is done.
    pub(crate) fn ready(&self) -> Option<R> {
        let mut state = self.state();
        let number = state.taken;
        let result = state.done.remove(&number)?;
        state.taken += 1;
        Some(result)
    }

    /// Does a task that nobody does yet; if there is none waits until another is done.
    pub(crate) fn help(&self, work: &impl Fn(T) -> R) {
        let mut state = self.state();
        if let Some((number, task)) = state.todo.pop_front() {
            drop(state);
            self.put(number, work(task));
        } else {
            let waits = |state: &mut State<T, R>| {
                state.taken < state.given && !state.done.contains_key(&state.taken) && state.todo.is_empty()
            };
            drop(self.changed.wait_while(state, waits));
        }
    }

    /// Does tasks until all is over.
    pub(crate) fn work(&self, work: &impl Fn(T) -> R) {
        loop {
            let state = self.state();
            let waits = |state: &mut State<T, R>| state.todo.is_empty() && !state.over;
            let mut state = self.changed.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner);
            let Some((number, task)) = state.todo.pop_front() else { return };
            drop(state);
            self.put(number, work(task));
        }
    }

    fn put(&self, number: u64, result: R) {
        self.state().done.insert(number, result);
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State<T, R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends the crew home when it is dropped, however that comes.
pub(crate) struct Shift<'a, T, R>(pub(crate) &'a Crew<T, R>);

impl<T, R> Drop for Shift<'_, T, R> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.over = true;
        state.todo.clear();
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn results_come_in_order_whoever_did_the_work() {
        let crew = Crew::new();
        // Odd ones take longer.
        let work = |number: u64| {
            (0..number % 2 * 1000).for_each(|_| thread::yield_now());
            number * 2
        };
        let results = thread::scope(|scope| {
            let _shift = Shift(&crew);
            (0..3).for_each(|_| drop(scope.spawn(|| crew.work(&work))));
            (0..100).for_each(|number| crew.give(number));
            let mut results = Vec::new();
            while crew.in_flight() > 0 {
                match crew.ready() {
                    Some(result) => results.push(result),
                    None => crew.help(&work),
                }
            }
            results
        });
        assert_eq!(results, (0..100).map(|number| number * 2).collect::<Vec<_>>());
    }
}
