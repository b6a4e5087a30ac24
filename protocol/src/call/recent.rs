//! What came lately, so that a copy of it is known: servers repeat themselves, and one of them may do so without end.

use std::collections::VecDeque;

/// The last so many of a kind. What is older is forgotten.
#[derive(Debug)]
pub(crate) struct Recent<T, const MOST: usize>(VecDeque<T>);

impl<T, const MOST: usize> Default for Recent<T, MOST> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: PartialEq, const MOST: usize> Recent<T, MOST> {
    pub(crate) fn contains(&self, it: &T) -> bool {
        self.0.iter().rev().any(|known| known == it)
    }

    /// Takes it in; false when it was known.
    pub(crate) fn insert(&mut self, it: T) -> bool {
        if self.contains(&it) {
            return false;
        }
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(it);
        true
    }

    /// Takes it out; whether it was there.
    pub(crate) fn remove(&mut self, it: &T) -> bool {
        let at = self.0.iter().position(|known| known == it);
        at.and_then(|at| self.0.remove(at)).is_some()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_known_and_what_is_old_is_forgotten() {
        let mut recent = Recent::<u32, 3>::default();
        assert!((0..5).all(|n| recent.insert(n)));
        assert!(!recent.insert(4));
        assert_eq!(recent.iter().copied().collect::<Vec<_>>(), [2, 3, 4]);
        assert!(recent.remove(&3) && !recent.remove(&3));
    }
}
