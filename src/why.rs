//! Why a call went as it did, in five lines: what its caller noticed, where in the chain that came from, what on record shows it, what to
//! look at next, and how sure that is.
//!
//! One pure function over the record ([`verdict::judge`]): rules find what happened at each place of the chain, and what a caller noticed
//! is explained by what happened in that moment. What nothing explains is said to be not known, with what is missing: nobody is blamed
//! on a guess.

mod evidence;
mod rules;
mod schema;
mod told;
mod verdict;

use protocol::ids::CallSid;

use crate::store::{Store, StoreError};
use crate::views::WholeCall;
use evidence::Evidence;
pub(crate) use schema::VERDICT;
pub(crate) use told::sound;
pub(crate) use verdict::Verdict;

/// The verdict on a call; none where nothing is on record of it, not even that it was refused.
pub(crate) async fn of_call(store: &Store, sid: &CallSid) -> Result<Option<Verdict>, StoreError> {
    let Some(found) = store.call(sid).await? else {
        let steps = store.audit_of_call(sid).await?;
        let is_known = !steps.is_empty();
        return Ok(is_known.then(|| verdict::judge(&Evidence::refused(sid, &steps))));
    };
    let whole = WholeCall::of(store, found).await?;
    Ok(Some(of_whole(&whole)))
}

/// The verdict on a call whose record was read.
pub(crate) fn of_whole(whole: &WholeCall) -> Verdict {
    verdict::judge(&Evidence::of(whole))
}

#[cfg(test)]
mod tests;
