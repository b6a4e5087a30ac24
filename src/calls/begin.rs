//! A webhook asks for a call's stream: the call begins, or goes on.

use std::sync::Arc;
use std::time::SystemTime;

use actors::{Admission, Announced, Reservation, Switchboard};
use protocol::call::policy::Setup;
use protocol::ids::CallSid;
use tokio::time::timeout;
use url::Url;

use super::admissions::{Admissions, AdmittedCall, Arrival, GoesOn};
use super::token::{TOKEN_LIFE, TokenError, TokenKey};
use super::{Calls, Refused};
use crate::store::{Begun, Call};

/// What the carrier is answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Where the call's media stream is expected.
    pub url: String,
    /// What the caller is greeted with; nothing, if they have talked with the agent already.
    pub greeting: String,
    /// BCP 47, e.g. `hi-IN`.
    pub language: String,
    /// What became of the wish.
    pub how: How,
}

/// Whether a call began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It did.
    Began,
    /// It had before: nothing was changed.
    Replayed,
    /// It had ended for a while, and goes on here.
    Returned,
}

/// What the carrier says first.
struct Said {
    greeting: String,
    language: String,
}

impl Said {
    fn of(setup: &Setup) -> Self {
        Self { greeting: setup.greeting_as_known(), language: setup.language.clone() }
    }
}

impl Calls {
    /// Lets a call begin, and dials its model at once. One that had begun gets the same answer again; one whose end was provisional goes
    /// on here; one that another gateway has is left there until its stream comes.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn begin(&self, arrival: Arrival) -> Result<Answered, Refused> {
        let sid = arrival.call.clone();
        let Some(here) = self.switchboard.admission(&sid) else { return self.begin_on_record(arrival, None).await };
        let on_record = self.begin_on_record(arrival, Some(&here));
        let begun = timeout(self.admissions.deadline / 2, on_record).await.unwrap_or(Err(Refused::StorageAway));
        match begun {
            // This node knows the call: it needs no database to go on with it.
            Err(Refused::StorageAway) => self.begin_from_memory(here),
            begun => begun,
        }
    }

    async fn begin_on_record(&self, arrival: Arrival, here: Option<&Admission>) -> Result<Answered, Refused> {
        let admissions = &self.admissions;
        let live = self.switchboard.phase(&arrival.call).is_some();
        let take_place = |admission: &Admission| match live {
            true => Ok(None),
            false => Ok(Some(self.switchboard.reserve(admission, false)?)),
        };
        let mut let_in = admissions.let_in(&arrival, take_place).await?;
        let noted = arrival.custom_field.clone();
        let begun = admissions.begin(arrival, &mut let_in, here.is_some()).await?;
        let AdmittedCall { client, mut admission, place } = let_in;
        if matches!(begun, Begun::Over(_)) {
            return Err(Refused::Over);
        }
        admissions.inform(&client, begun.call(), noted.as_deref(), &mut admission).await?;
        let said = Said::of(&admission.setup);
        let (row, goes_on, how) = match begun {
            Begun::Over(_) => return Err(Refused::Over),
            Begun::New(row) if row.is_over() => return Err(Refused::Over),
            Begun::Elsewhere(row) => return Ok(self.answer(said, &row, How::Replayed)),
            Begun::Ours(row) if self.switchboard.phase(&row.call_sid).is_some() => {
                return Ok(self.answer(said, &row, How::Replayed));
            }
            Begun::New(row) => {
                let goes_on = GoesOn::asked(&row, None);
                (row, goes_on, How::Began)
            }
            Begun::Ours(row) => {
                let how = if here.is_some() { How::Returned } else { How::Replayed };
                let goes_on = GoesOn::asked(&row, Some(row.ownership.generation));
                (row, goes_on, how)
            }
            Begun::Returned { call: row, was } => {
                let goes_on = GoesOn::returned(&row, was, &admissions.node);
                (row, goes_on, How::Returned)
            }
        };
        let admission = admissions.goes_on(&row, goes_on, admission, here).await?;
        self.admit(place, admission)?;
        Ok(self.answer(said, &row, how))
    }

    fn admit(&self, place: Option<Reservation>, admission: Admission) -> Result<(), Refused> {
        let place = match place {
            Some(place) => place,
            None => self.switchboard.reserve(&admission, false)?,
        };
        place.admit(admission);
        Ok(())
    }

    /// A call that this node has, or had a moment ago, while the database is away.
    fn begin_from_memory(&self, here: Admission) -> Result<Answered, Refused> {
        let live = self.switchboard.phase(&here.call_sid).is_some();
        if !live {
            self.switchboard.reserve(&here, false)?.admit(here.clone());
        }
        let announced = self.switchboard.announce(&here.call_sid, TOKEN_LIFE).ok_or(Refused::StorageAway)?;
        Ok(Answered {
            url: self.urls.of(&here.call_sid, announced),
            greeting: if announced.conversed { String::new() } else { here.setup.greeting_as_known() },
            language: here.setup.language,
            how: if live { How::Replayed } else { How::Returned },
        })
    }

    fn answer(&self, said: Said, row: &Call, how: How) -> Answered {
        let call = &row.call_sid;
        let here = self.switchboard.announce(call, TOKEN_LIFE);
        let url = match here {
            // The first one counts from the row, so that it is the same on every node.
            Some(announced) if announced.stream > 1 => self.urls.of(call, announced),
            None if row.streams() > 0 => {
                let GoesOn { stream, since, .. } = GoesOn::asked(row, None);
                self.urls.of(call, Announced { stream, since, conversed: true })
            }
            _ => self.urls.of(call, Announced { stream: 1, since: row.times.started_at.into(), conversed: false }),
        };
        let conversed = here.map_or(row.streams() > 0, |announced| announced.conversed);
        let greeting = if conversed { String::new() } else { said.greeting };
        Answered { url, greeting, language: said.language, how }
    }
}

/// The URLs of media streams.
#[derive(Clone)]
pub struct StreamUrls {
    /// Signs their tokens.
    pub tokens: TokenKey,
    /// `ws://` or `wss://`, as Exotel reaches us, with a slash at the end.
    pub base: Url,
}

impl StreamUrls {
    fn of(&self, call: &CallSid, Announced { stream, since, .. }: Announced) -> String {
        format!("{}exotel/media/{}", self.base, self.tokens.mint_stream(call, stream, since))
    }
}

impl Calls {
    /// The call a media token was minted for, and which of its streams.
    ///
    /// # Errors
    /// Says in words why the token opens nothing.
    pub fn verify(&self, token: &str, now: SystemTime) -> Result<(CallSid, u32), TokenError> {
        self.urls.tokens.verify(token, now)
    }

    /// The use cases over the live calls of this node.
    #[must_use]
    pub const fn new(admissions: Arc<Admissions>, switchboard: Switchboard, urls: StreamUrls) -> Self {
        Self { admissions, switchboard, urls }
    }
}
