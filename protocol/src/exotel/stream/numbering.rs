//! The numbers of a stream's messages.

/// A jump in numbering beyond this is a peer that counts in its own way.
const LARGEST_GAP: u64 = 3_000;

/// Counts messages that the carrier numbered and that never came. Every event of a stream has a number (`start` is 1), and only
/// those of media are read: the others just count.
#[derive(Debug)]
pub struct Numbering {
    last: u64,
    others: u64,
}

/// Where a message stands.
#[derive(Debug, PartialEq, Eq)]
pub enum Numbered {
    /// It follows the one before it, as far as one can tell.
    InOrder,
    /// Others should have come before it.
    After {
        /// How many.
        lost: u32,
    },
    /// It came before, or its moment has passed.
    Late,
}

impl Default for Numbering {
    fn default() -> Self {
        Self { last: 1, others: 0 }
    }
}

impl Numbering {
    /// A message that is not media came.
    pub fn other(&mut self) {
        self.others += 1;
    }

    /// Media came, with its number if it has one.
    pub fn media(&mut self, number: Option<u64>) -> Numbered {
        let Some(number) = number else { return Numbered::InOrder };
        if number <= self.last && self.last - number <= LARGEST_GAP {
            return Numbered::Late;
        }
        let expected = self.last + self.others + 1;
        (self.last, self.others) = (number, 0);
        match number.checked_sub(expected) {
            None | Some(0) => Numbered::InOrder,
            Some(lost) if lost > LARGEST_GAP => Numbered::InOrder,
            Some(lost) => Numbered::After { lost: u32::try_from(lost).unwrap_or(u32::MAX) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_other_events_took_are_not_lost() {
        let mut numbering = Numbering::default();
        assert_eq!(numbering.media(Some(2)), Numbered::InOrder);
        numbering.other();
        numbering.other();
        assert_eq!(numbering.media(Some(5)), Numbered::InOrder);
        assert_eq!(numbering.media(Some(6)), Numbered::InOrder);
    }

    #[test]
    fn a_gap_counts_what_never_came() {
        let mut numbering = Numbering::default();
        numbering.media(Some(2));
        assert_eq!(numbering.media(Some(6)), Numbered::After { lost: 3 });
        numbering.other();
        assert_eq!(numbering.media(Some(9)), Numbered::After { lost: 1 });
    }

    #[test]
    fn a_frame_that_comes_again_or_late_is_not_played_twice() {
        let mut numbering = Numbering::default();
        numbering.media(Some(2));
        numbering.media(Some(3));
        assert_eq!(numbering.media(Some(3)), Numbered::Late);
        assert_eq!(numbering.media(Some(2)), Numbered::Late);
        assert_eq!(numbering.media(Some(4)), Numbered::InOrder);
    }

    #[test]
    fn a_peer_that_numbers_in_its_own_way_loses_nothing() {
        let mut numbering = Numbering::default();
        assert_eq!(numbering.media(None), Numbered::InOrder);
        assert_eq!(numbering.media(Some(1 << 40)), Numbered::InOrder);
        assert_eq!(numbering.media(Some(7)), Numbered::InOrder, "it began anew");
        assert_eq!(numbering.media(Some(8)), Numbered::InOrder);
    }
}
