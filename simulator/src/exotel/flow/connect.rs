//! The Connect applet: whom it dials, and what becomes of that.

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use super::super::report::{CallError, EventKind};
use super::super::webhook::DialFields;
use super::{At, Flow, FlowEnd, Playing};

/// Where the applet has the number from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connect {
    /// From App Bazaar.
    #[default]
    Static,
    /// From the gateway: the dynamic URL.
    Dynamic,
}

/// How Exotel asks behind a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asks {
    /// Each applet once, in the order of the flow.
    #[default]
    Once,
    /// Each of them twice.
    Twice,
    /// Connect is asked before the Passthru applet too.
    ConnectFirst,
}

/// Who was dialled, as the gateway said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dialled {
    /// The number or SIP address.
    pub to: String,
    /// How long it may ring, s.
    pub ring_secs: Option<u64>,
    /// The number that is shown.
    pub shows: Option<String>,
    /// What whoever picks up hears first.
    pub whisper: Option<String>,
}

/// What becomes of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Person {
    /// Answers after that long, and talks that long.
    Answers(Duration, Duration),
    /// Nobody answers for that long.
    NoAnswer(Duration),
    /// The line is busy.
    Busy,
}

impl Playing {
    pub(super) async fn connect(&mut self) -> Result<At, CallError> {
        self.note(EventKind::Applet, "Connect");
        let rings = match self.connect {
            Connect::Static => None,
            Connect::Dynamic => match self.whom().await? {
                Some(dialled) => {
                    self.note(EventKind::Applet, format!("Connect: dials {}", dialled.to));
                    let rings = dialled.ring_secs.map(Duration::from_secs);
                    self.report.dialled.push(dialled);
                    rings
                }
                None => {
                    self.note(EventKind::Applet, "Connect: nobody to dial");
                    return Ok(self.behind_connect("failed", Duration::ZERO));
                }
            },
        };
        let person = self.persons.next().unwrap_or(Person::NoAnswer(Duration::from_secs(2)));
        let at_most = |rang: Duration| rings.map_or(rang, |most| rang.min(most));
        let (status, took) = match person {
            Person::Answers(rang, talks) if at_most(rang) == rang => ("completed", rang + talks),
            Person::Answers(rang, _) | Person::NoAnswer(rang) => ("no-answer", at_most(rang)),
            Person::Busy => ("busy", Duration::ZERO),
        };
        sleep(took).await;
        self.note(EventKind::Applet, format!("Connect: {status}"));
        Ok(self.behind_connect(status, took))
    }

    fn behind_connect(&self, status: &'static str, took: Duration) -> At {
        match self.flow {
            Flow::Simple => At::End(FlowEnd::Connect),
            Flow::Resume => At::Resume(Some(DialFields { status, seconds: took.as_secs() })),
        }
    }

    /// Asks the gateway whom to dial.
    async fn whom(&mut self) -> Result<Option<Dialled>, CallError> {
        let mut told = self.asks_whom().await?;
        if self.asks == Asks::Twice {
            told = self.asks_whom().await?;
        }
        Ok(told)
    }

    pub(super) async fn asks_whom(&mut self) -> Result<Option<Dialled>, CallError> {
        let fields = self.placed.fields.resume(None);
        match self.placed.webhooks.get("connect", &fields).await {
            Ok(answered) => {
                let told = (answered.status == 200).then(|| dialled(&answered.body)).flatten();
                self.placed.answered(answered);
                Ok(told)
            }
            Err(CallError::Unreachable(why)) => {
                self.note(EventKind::Webhook, format!("the gateway is not there: {why}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// The first number of an answer.
fn dialled(body: &str) -> Option<Dialled> {
    let told: Value = serde_json::from_str(body).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Some(Dialled {
        to: text(&told["destination"]["numbers"][0])?,
        ring_secs: told["max_ringing_duration"].as_u64(),
        shows: text(&told["outgoing_phone_number"]),
        whisper: text(&told["start_call_playback"]["value"]),
    })
}
