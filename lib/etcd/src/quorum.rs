//! The arithmetic of majorities.

/// How many members vote, and how many of those are alive. Learners do not
/// count; a voter that never started counts as a dead one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// Members with a vote.
    pub voters: usize,
    /// Those of them that work.
    pub alive: usize,
}

impl Quorum {
    /// So many must agree: more than half.
    pub fn needed(self) -> usize {
        self.voters / 2 + 1
    }

    /// Whether enough are alive to agree on anything.
    pub fn holds(self) -> bool {
        self.alive >= self.needed()
    }

    /// So many of the living may still be lost.
    pub fn spare(self) -> usize {
        self.alive.saturating_sub(self.needed())
    }

    /// After so many of the living died. The membership stays what it is.
    #[must_use]
    pub fn after_loss_of(self, lost: usize) -> Self {
        Self { alive: self.alive.saturating_sub(lost), ..self }
    }

    /// After one member, alive or dead, is taken out of the membership.
    #[must_use]
    pub fn after_removal_of(self, alive: bool) -> Self {
        Self { voters: self.voters.saturating_sub(1), alive: self.alive.saturating_sub(usize::from(alive)) }
    }

    /// After a voter that has not started yet joined the membership: until it
    /// has, it is one more that must be outvoted. A learner changes nothing.
    #[must_use]
    pub fn after_addition(self) -> Self {
        Self { voters: self.voters + 1, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn of_three_one_may_be_lost_and_of_five_two() {
        for (voters, spare) in [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (7, 3)] {
            let whole = Quorum { voters, alive: voters };
            assert_eq!(whole.spare(), spare, "{voters}");
            assert!(whole.after_loss_of(spare).holds() && !whole.after_loss_of(spare + 1).holds());
        }
    }

    #[test]
    fn a_fourth_member_that_does_not_start_takes_the_last_reserve() {
        let hurt = Quorum { voters: 3, alive: 2 };
        assert!(hurt.holds() && !hurt.after_addition().holds());
        // Hence: remove the dead one first.
        assert!(hurt.after_removal_of(false).after_addition().holds());
    }

    proptest! {
        #[test]
        fn what_can_be_spared_can_be_lost_and_one_more_cannot(voters in 1usize..50, dead in 0usize..50) {
            let quorum = Quorum { voters, alive: voters.saturating_sub(dead) };
            prop_assert_eq!(quorum.holds(), quorum.alive * 2 > voters);
            if quorum.holds() {
                prop_assert!(quorum.after_loss_of(quorum.spare()).holds());
                prop_assert!(!quorum.after_loss_of(quorum.spare() + 1).holds());
                // Removing a dead member never costs quorum.
                prop_assert!(quorum.alive == voters || quorum.after_removal_of(false).holds());
            }
        }
    }
}
