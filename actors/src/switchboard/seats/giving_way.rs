//! Who gives way where no place is left, and gets its place back when nobody came for it.

use std::time::{Duration, Instant};

use protocol::ids::CallSid;

use super::{Asked, Counts, Dismissed, OfClient, Seat, Seats, Waiting, share, tell_waiting};
use crate::admission::Refusal;

/// Who gives way: of which client, and which of its calls that wait.
pub(super) type Loser = (String, (Instant, u64));

impl OfClient {
    /// The call that has waited longest of those that have waited for so long.
    fn overdue(&self, now: Instant, wait: Duration) -> Option<(Instant, u64)> {
        let overdue = |waiting: &Waiting| now.saturating_duration_since(waiting.since) >= wait;
        self.waiting.iter().find(|(_, waiting)| overdue(waiting)).map(|(key, _)| *key)
    }
}

impl Seats {
    /// Who has to go for a call, if anybody has to.
    pub(super) fn loser(&self, counts: &Counts, asked: Asked<'_>, now: Instant) -> Result<Option<Loser>, Refusal> {
        if counts.draining {
            return Err(Refusal::Draining);
        }
        let of_client = counts.clients.get(asked.client);
        let is_full = |most: u32| {
            let of_client = of_client.map_or((0, 0), |client| (client.live, client.waiting.len()));
            let most_waiting = share(usize::try_from(most).unwrap_or(usize::MAX));
            of_client.0 >= most || (asked.wait.is_some() && of_client.1 >= most_waiting)
        };
        if asked.max_concurrent.is_some_and(is_full) {
            let overdue = of_client.and_then(|client| client.overdue(now, self.limits.gives_way_after));
            return overdue.map(|key| Some((asked.client.to_owned(), key))).ok_or(Refusal::ClientFull);
        }
        self.loser_of_node(counts, asked.wait.is_some(), now)
    }

    pub(super) fn loser_of_node(&self, counts: &Counts, waits: bool, now: Instant) -> Result<Option<Loser>, Refusal> {
        let most = self.limits.max_calls;
        let is_full = counts.live >= most || (waits && counts.waiting >= share(most));
        if !is_full {
            return Ok(None);
        }
        // Of the client that has most: whoever takes all places loses them first.
        let overdue = |client: &OfClient| client.overdue(now, self.limits.gives_way_after);
        let losers =
            counts.clients.iter().filter_map(|(name, client)| Some((name, client.waiting.len(), overdue(client)?)));
        let loser = losers.max_by_key(|(_, waiting, _)| *waiting);
        loser.map(|(name, _, key)| Some((name.clone(), key))).ok_or(Refusal::Full)
    }

    /// Takes a call's place away. It ends once the place is another's.
    pub(super) fn dismiss(&self, counts: &mut Counts, (client, key): &Loser) -> Option<CallSid> {
        let waiting = counts.clients.get_mut(client)?.waiting.remove(key)?;
        counts.waiting -= 1;
        let call = waiting.call.clone();
        counts.dismissed.insert(key.1, Dismissed { client: client.clone(), due: key.0, waiting });
        self.free(counts, client);
        tell_waiting(counts);
        Some(call)
    }

    /// A call was to give way to one that never came: it has its place again, if it is still here.
    pub(super) fn reinstate(&self, counts: &mut Counts, call: &CallSid) {
        let number = counts.dismissed.iter().find(|(_, gone)| gone.waiting.call == *call).map(|(number, _)| *number);
        let Some((number, gone)) = number.and_then(|number| counts.dismissed.remove_entry(&number)) else { return };
        let seat = Seat { number, due: Some(gone.due) };
        self.occupy(counts, &gone.client, &seat, gone.waiting);
    }
}
