//! What is not yet written, of every call, within a bound.

use std::collections::{HashMap, HashSet, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use protocol::call::COMES_BACK_WITHIN;
use protocol::call::end::Ended;
use protocol::call::fact::Fact;
use protocol::ids::CallSid;

use super::fold::{Fold, Held};
use super::price::Prices;
use crate::store::{Batch, CallEndReport, NodeId, Store, StoreError};

/// Ended calls kept while the database is away; the oldest go first.
const MAX_ENDED: usize = 20_000;
/// Reports kept while the database is away; the oldest go first.
const MAX_REPORTS: usize = 20_000;

/// Ended calls that may come back; beyond it what the oldest came to is forgotten, and would begin anew.
const MAX_RESTING: usize = 20_000;
/// How long they may: a little longer than a gateway takes them back.
const RESTING: TimeDelta = TimeDelta::seconds(COMES_BACK_WITHIN.as_secs().cast_signed() + 5);

/// Calls written in one transaction: after an outage many wait, and a database far away takes some ms for each.
const AT_ONCE: usize = 64;

/// The folds of all calls that a write takes.
pub(super) struct Pending {
    /// This gateway.
    node: NodeId,
    default_model: String,
    prices: Prices,
    folds: HashMap<CallSid, Fold>,
    /// Calls that ended and are not yet written, oldest first.
    ended: VecDeque<CallSid>,
    /// Calls that ended, are written, and may come back; since when, oldest first.
    resting: VecDeque<(DateTime<Utc>, CallSid)>,
    /// What the carrier reported, and the database would not take.
    reports: VecDeque<CallEndReport>,
    /// Calls that another gateway has, and under which generation this one had them.
    superseded: Vec<(CallSid, Option<i32>)>,
    /// Their traces are told.
    traced: bool,
    /// The database takes nothing.
    away: Option<Outage>,
    /// Calls whose record waited for it, since it is being written again.
    waited: Option<(Outage, Vec<CallSid>)>,
}

/// A time in which the database took nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outage {
    /// When that was first seen.
    pub(super) since: DateTime<Utc>,
    /// Its disk had no room.
    pub(super) is_disk_full: bool,
}

/// A shorter outage is told of no call: a lock that somebody held for a moment.
const WORTH_TELLING: TimeDelta = TimeDelta::seconds(2);

impl Pending {
    pub(super) fn new(node: NodeId, default_model: String, prices: Prices) -> Self {
        Self {
            node,
            superseded: Vec::new(),
            default_model,
            prices,
            reports: VecDeque::new(),
            folds: HashMap::new(),
            ended: VecDeque::new(),
            resting: VecDeque::new(),
            traced: false,
            away: None,
            waited: None,
        }
    }

    /// The lines of their ends name their traces.
    pub(super) fn traced(self, traced: bool) -> Self {
        Self { traced, ..self }
    }

    /// This gateway has a call: what it came to here goes on, unless another had it meanwhile.
    pub(super) fn owns(&mut self, call: CallSid, held: &Held) {
        let ours = held.before.as_ref() == Some(&self.node);
        match self.folds.get_mut(&call) {
            Some(fold) if ours && fold.generation().is_none_or(|known| known <= held.generation) => {
                fold.goes_on(held.generation);
            }
            Some(fold) if fold.generation() == Some(held.generation) => {}
            _ => drop(self.folds.insert(call, Fold::new(Some(held)))),
        }
    }

    pub(super) fn fact(&mut self, call: CallSid, at: DateTime<Utc>, fact: Fact) {
        if matches!(fact, Fact::Ended(Ended::TakenOver)) {
            // Whoever has it tells the rest.
            self.folds.remove(&call);
            return;
        }
        let fold = self.folds.entry(call.clone()).or_insert_with(|| Fold::new(None));
        let was_over = fold.is_over();
        fold.apply(at, fact);
        if fold.is_over() && !was_over {
            fold.tell_end(&call, &self.node, self.traced);
            self.ended.push_back(call);
        }
        if self.ended.len() > MAX_ENDED
            && let Some(oldest) = self.ended.pop_front()
            && self.folds.get(&oldest).is_some_and(Fold::is_over)
        {
            self.folds.remove(&oldest);
            dropped(1);
        }
    }

    pub(super) fn report(&mut self, report: CallEndReport) {
        self.reports.push_back(report);
        if self.reports.len() > MAX_REPORTS {
            self.reports.pop_front();
            dropped(1);
        }
    }

    /// Writes what is new; true when there is nothing left to write.
    pub(super) async fn write(&mut self, store: &Store) -> bool {
        let batch = match self.batch(store).await {
            Ok(batch) if batch.calls.is_empty() && batch.reports.is_empty() => {
                self.written();
                return true;
            }
            Ok(batch) => batch,
            Err(error) => return self.failed(&error),
        };
        let calls = batch.calls.chunks(AT_ONCE).map(|calls| Batch { calls: calls.to_vec(), ..Batch::default() });
        let reports = batch.reports.chunks(AT_ONCE).map(|told| Batch { reports: told.to_vec(), ..Batch::default() });
        for piece in calls.chain(reports) {
            match write(store, piece).await {
                Ok(superseded) => superseded.into_iter().for_each(|call| self.supersede(call)),
                Err(error) => return self.failed(&error),
            }
        }
        if let Some(outage) = self.away.take() {
            tracing::info!("the record is being written again");
            self.over(outage);
        }
        self.written();
        true
    }

    /// The database takes what is written again: whose calls went on meanwhile, or ended.
    fn over(&mut self, outage: Outage) {
        if Utc::now() - outage.since < WORTH_TELLING {
            return;
        }
        let ended: HashSet<&CallSid> = self.ended.iter().collect();
        let waited = |(sid, fold): (&CallSid, &Fold)| {
            let is_written = fold.is_over() && !ended.contains(sid);
            (!is_written && fold.generation().is_some()).then(|| sid.clone())
        };
        self.waited = Some((outage, self.folds.iter().filter_map(waited).collect()));
    }

    /// Calls whose record waited for the database, and for how long it was away.
    pub(super) fn take_waited(&mut self) -> Option<(Outage, Vec<CallSid>)> {
        self.waited.take()
    }

    /// Another gateway has the call: it is written there.
    fn supersede(&mut self, call: CallSid) {
        let fold = self.folds.remove(&call);
        metrics::counter!("callgate_record_superseded_total").increment(1);
        self.superseded.push((call, fold.and_then(|fold| fold.generation())));
    }

    /// Calls of which a write found that another gateway has them, and under which generation this one had them.
    pub(super) fn take_superseded(&mut self) -> Vec<(CallSid, Option<i32>)> {
        std::mem::take(&mut self.superseded)
    }

    async fn batch(&self, store: &Store) -> Result<Batch, StoreError> {
        let mut calls: Vec<_> = self.folds.iter().filter_map(|(sid, fold)| fold.update(sid, &self.node)).collect();
        for update in &mut calls {
            let Some(figures) = update.figures.as_mut() else { continue };
            let (Some(tokens), true) = (&figures.tokens, update.finish.is_some()) else { continue };
            let model = store.model_of_call(&update.call_sid).await?;
            figures.cost_microusd = self.prices.microusd(model.as_deref().unwrap_or(&self.default_model), tokens);
        }
        // Two nodes that write the same calls take the rows in one order, and so never wait for each other.
        calls.sort_unstable_by(|one, other| one.call_sid.cmp(&other.call_sid));
        Ok(Batch { calls, reports: self.reports.iter().cloned().collect() })
    }

    fn written(&mut self) {
        self.reports.clear();
        for sid in self.ended.drain(..) {
            let Some(fold) = self.folds.get(&sid).filter(|fold| fold.is_over()) else { continue };
            match fold.rests_since() {
                Some(since) => self.resting.push_back((since, sid)),
                None => drop(self.folds.remove(&sid)),
            }
        }
        self.forget_rested(Utc::now());
        // A stray fact behind a call's end made a fold that nothing would ever close.
        self.folds.retain(|_, fold| fold.is_live() || fold.rests_since().is_some());
        self.folds.values_mut().for_each(Fold::written);
    }

    /// Lets go of calls that did not come back.
    fn forget_rested(&mut self, now: DateTime<Utc>) {
        let too_many = |resting: &VecDeque<_>| resting.len() > MAX_RESTING;
        while self.resting.front().is_some_and(|(since, _)| too_many(&self.resting) || now - since >= RESTING) {
            let Some((since, sid)) = self.resting.pop_front() else { return };
            // One that came back and ended again is further behind.
            if self.folds.get(&sid).is_some_and(|fold| fold.rests_since() == Some(since)) {
                self.folds.remove(&sid);
            }
        }
    }

    /// How many calls are followed.
    #[cfg(test)]
    pub(super) fn folds(&self) -> usize {
        self.folds.len()
    }

    /// A database that is away is asked again with the same; what it refuses outright would be refused for ever.
    fn failed(&mut self, error: &StoreError) -> bool {
        if error.is_away() {
            let outage = self.away.get_or_insert_with(|| {
                tracing::error!(%error, "the record cannot be written: it is kept and tried again");
                Outage { since: Utc::now(), is_disk_full: false }
            });
            outage.is_disk_full |= error.is_disk_full();
            return false;
        }
        let calls = self.folds.values().filter(|fold| fold.is_over()).count();
        tracing::error!(%error, calls, "the record was refused by the database and is given up");
        dropped(u64::try_from(calls).unwrap_or(u64::MAX));
        self.written();
        false
    }
}

/// Writes a piece; the calls that another gateway has come back. One that the database refuses is written again one by one: what it refuses by itself is given up, and takes nothing
/// along.
async fn write(store: &Store, piece: Batch) -> Result<Vec<CallSid>, StoreError> {
    match store.write_batch(piece.clone()).await {
        Err(error) if !error.is_away() => {}
        written => return written,
    }
    let calls =
        piece.calls.into_iter().map(|call| (call.call_sid.clone(), Batch { calls: vec![call], ..Batch::default() }));
    let reports = piece
        .reports
        .into_iter()
        .map(|told| (told.call_sid.clone(), Batch { reports: vec![told], ..Batch::default() }));
    let mut superseded = Vec::new();
    for (call_sid, one) in calls.chain(reports) {
        match store.write_batch(one).await {
            Err(error) if !error.is_away() => {
                tracing::error!(%error, %call_sid, "what is on record of the call was refused by the database and is given up");
                dropped(1);
            }
            written => superseded.extend(written?),
        }
    }
    Ok(superseded)
}

fn dropped(count: u64) {
    metrics::counter!("callgate_record_dropped_total").increment(count);
}
