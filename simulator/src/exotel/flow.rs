//! A flow of applets, as App Bazaar strings them together: Voicebot, Passthru, Connect, and further ones behind them.

mod connect;

use std::time::{Duration, Instant};

use codecs::SampleRate;
use tokio::time::sleep;

use super::carrier::{NoStream, Placed, Streamed, load};
use super::plan::{CallPlan, HangUp, Say};
use super::report::{CallError, CallReport, EndedBy, Event, EventKind, WebhookAnswer};
use super::rude::{Ending, Rudeness};
use super::timeline::Timeline;
use super::webhook::{Answered, DialFields, StreamFields};
pub use connect::{Asks, Connect, Dialled, Person};

/// Applets passed at most: a flow has no arrows back.
const MOST_APPLETS: usize = 128;
/// How long Exotel is taken to wait before it asks again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Salts of further streams' ids lie beyond those of the call and its first stream.
const FIRST_STREAM: u64 = 2;

/// A call through a flow.
#[derive(Clone, Debug)]
pub struct FlowPlan {
    /// The call, and what the caller does at the first Voicebot applet.
    pub call: CallPlan,
    /// The Voicebot applets behind it, in order.
    pub further: Vec<Applet>,
    /// Which flow it is.
    pub flow: Flow,
    /// What becomes of each transfer, in order; of any beyond these: nobody answers.
    pub persons: Vec<Person>,
    /// What Exotel does where the gateway is not there: nobody knows.
    pub on_refused: OnRefused,
    /// Where the Connect applet has its number from.
    pub connect: Connect,
    /// How Exotel asks behind a stream.
    pub asks: Asks,
}

impl FlowPlan {
    /// The flow with resume, whose further Voicebot applets are these.
    pub fn resume(call: CallPlan, further: Vec<Applet>) -> Self {
        Self {
            call,
            further,
            flow: Flow::Resume,
            persons: Vec::new(),
            on_refused: OnRefused::Next,
            connect: Connect::Static,
            asks: Asks::Once,
        }
    }
}

/// A further Voicebot applet.
#[derive(Clone, Debug, Default)]
pub struct Applet {
    /// What the caller does there.
    pub script: Vec<Say>,
    /// How the stream ends once that is done.
    pub end: HangUp,
    /// What goes wrong on purpose.
    pub rude: Rudeness,
    /// Rate of the audio both ways.
    pub rate: SampleRate,
}

/// How the applets are strung together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// `Voicebot -> Passthru -200-> Connect, -302-> Hangup`.
    #[default]
    Simple,
    /// The same with `Passthru(resume)` behind the 302 and behind Connect: `-200-> the next Voicebot, -302-> Hangup`.
    Resume,
}

/// What Exotel does when a URL is refused or not answered, or a media socket does not open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnRefused {
    /// The flow goes on to the next applet; of a Passthru the way of 302 is taken.
    #[default]
    Next,
    /// It asks once more, a second later; then as with [`OnRefused::Next`].
    Retry,
    /// The call is hung up.
    HangUp,
}

/// What came of a flow. Times are milliseconds since it was placed.
#[derive(Clone, Debug, Default)]
pub struct FlowReport {
    /// The call's id.
    pub call_sid: String,
    /// One for every Voicebot applet that was asked for, those that had no stream included.
    pub streams: Vec<Stream>,
    /// Every webhook that was answered, in order.
    pub webhooks: Vec<WebhookAnswer>,
    /// What happened, in order.
    pub timeline: Vec<Event>,
    /// Who was dialled by the gateway's word, in order.
    pub dialled: Vec<Dialled>,
    /// How it ended.
    pub ended: FlowEnd,
}

impl FlowReport {
    /// The statuses answered to webhooks of that name, in order.
    #[must_use]
    pub fn answers(&self, name: &str) -> Vec<u16> {
        self.webhooks.iter().filter(|answer| answer.name == name).map(|answer| answer.status).collect()
    }
}

/// What came of a Voicebot applet.
#[derive(Clone, Debug)]
pub struct Stream {
    /// When its URL was asked for.
    pub asked_ms: i64,
    /// What happened on it. Times in it are its own; its webhooks and timeline are the flow's.
    pub report: CallReport,
    /// Why it had none.
    pub failed: Option<String>,
}

/// How a flow ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlowEnd {
    /// It came to its Hangup applet.
    #[default]
    Hangup,
    /// The caller hung up.
    Caller,
    /// The caller spoke with a person, and the flow has nothing behind that.
    Connect,
    /// The gateway was not there, and the plan says to hang up then.
    Refused,
    /// It was to go on, and there is no further applet.
    NoApplet,
    /// The plan's timeout passed.
    Timeout,
}

/// Where the flow is.
enum At {
    Voicebot,
    Passthru(Box<StreamFields>),
    Connect,
    Resume(Option<DialFields>),
    End(FlowEnd),
}

/// Places a call and carries it through its flow.
///
/// # Errors
/// [`CallError::Plan`]: the plan cannot be carried out. Whatever goes wrong at the gateway is in the report.
pub async fn place_flow(plan: FlowPlan) -> Result<FlowReport, CallError> {
    let timeline = Timeline::of_flow(plan.call.observer.clone());
    let mut playing = Playing {
        placed: Placed::new(plan.call, timeline)?,
        applets: plan.further.into_iter(),
        persons: plan.persons.into_iter(),
        flow: plan.flow,
        on_refused: plan.on_refused,
        connect: plan.connect,
        asks: plan.asks,
        report: FlowReport::default(),
    };
    playing.play().await?;
    Ok(playing.finish())
}

struct Playing {
    placed: Placed,
    applets: std::vec::IntoIter<Applet>,
    persons: std::vec::IntoIter<Person>,
    flow: Flow,
    on_refused: OnRefused,
    connect: Connect,
    asks: Asks,
    report: FlowReport,
}

impl Playing {
    async fn play(&mut self) -> Result<(), CallError> {
        let mut at = At::Voicebot;
        for _ in 0..MOST_APPLETS {
            at = match at {
                At::Voicebot => self.voicebot().await?,
                At::Passthru(stream) => self.passthru(&stream).await?,
                At::Connect => self.connect().await?,
                At::Resume(dialled) => self.resume(dialled.as_ref()).await?,
                At::End(end) => {
                    self.report.ended = end;
                    break;
                }
            };
        }
        self.placed.call_end().await;
        Ok(())
    }

    fn finish(mut self) -> FlowReport {
        let mut whole = CallReport::default();
        self.placed.settle(&mut whole);
        self.report.call_sid.clone_from(&self.placed.fields.call_sid);
        FlowReport { webhooks: whole.webhooks, timeline: whole.timeline, ..self.report }
    }

    fn note(&mut self, kind: EventKind, what: impl Into<String>) {
        self.placed.timeline.note(kind, what);
    }

    async fn voicebot(&mut self) -> Result<At, CallError> {
        if !self.report.streams.is_empty() {
            let Some(applet) = self.applets.next() else { return Ok(At::End(FlowEnd::NoApplet)) };
            let plan = &mut self.placed.plan;
            (plan.script, plan.end, plan.rude, plan.rate) = (applet.script, applet.end, applet.rude, applet.rate);
        }
        let mut streamed = self.stream().await?;
        if streamed.failed.is_some() && self.on_refused == OnRefused::Retry {
            sleep(RETRY_AFTER).await;
            streamed = self.stream().await?;
        }
        let plan = &self.placed.plan;
        let drops = plan.rude.ending == Ending::Drop;
        Ok(match streamed.report.ended_by {
            EndedBy::Caller if plan.end == HangUp::Caller && !drops => {
                // The caller is gone; the applet behind the stream is still run.
                let passthru = self.placed.fields.passthru(&streamed.fields);
                self.ask("passthru", &passthru).await?;
                At::End(FlowEnd::Caller)
            }
            EndedBy::Timeout => At::End(FlowEnd::Timeout),
            EndedBy::NotOpened if self.on_refused == OnRefused::HangUp => At::End(FlowEnd::Refused),
            _ => At::Passthru(Box::new(streamed.fields)),
        })
    }

    /// One attempt at a stream.
    async fn stream(&mut self) -> Result<Streamed, CallError> {
        let nth = self.report.streams.len() as u64;
        self.note(EventKind::Applet, format!("Voicebot {}", nth + 1));
        let asked_ms = self.placed.timeline.told_ms(Instant::now());
        let steps = load(&self.placed.plan)?;
        let streamed = match self.placed.stream(FIRST_STREAM + nth, steps).await {
            Err(CallError::Unreachable(why)) => {
                self.note(EventKind::Webhook, format!("the gateway is not there: {why}"));
                Streamed::unanswered(self.placed.fields.call_sid.clone())
            }
            other => other?,
        };
        let failed = streamed.failed.as_ref().map(|failed| match failed {
            NoStream::Refused(status, body) => super::refusal("the URL was answered", *status, body),
            NoStream::Handshake(cause) => cause.clone(),
        });
        self.report.streams.push(Stream { asked_ms, report: streamed.report.clone(), failed });
        Ok(streamed)
    }

    async fn passthru(&mut self, stream: &StreamFields) -> Result<At, CallError> {
        self.note(EventKind::Applet, "Passthru");
        let mut fields = self.placed.fields.passthru(stream);
        fields.push(("CallStatus", "in-progress".into()));
        match self.asks {
            Asks::Once => {}
            Asks::Twice => drop(self.ask("passthru", &fields).await?),
            Asks::ConnectFirst => drop(self.asks_whom().await?),
        }
        Ok(match (self.ask("passthru", &fields).await?, self.flow) {
            (Some(200), _) => At::Connect,
            (None, _) if self.on_refused == OnRefused::HangUp => At::End(FlowEnd::Refused),
            (_, Flow::Simple) => At::End(FlowEnd::Hangup),
            (_, Flow::Resume) => At::Resume(None),
        })
    }

    async fn resume(&mut self, dialled: Option<&DialFields>) -> Result<At, CallError> {
        self.note(EventKind::Applet, "Passthru (resume)");
        let fields = self.placed.fields.resume(dialled);
        if self.asks == Asks::Twice {
            self.ask("passthru/resume", &fields).await?;
        }
        Ok(match self.ask("passthru/resume", &fields).await? {
            Some(200) => At::Voicebot,
            None if self.on_refused == OnRefused::HangUp => At::End(FlowEnd::Refused),
            _ => At::End(FlowEnd::Hangup),
        })
    }

    /// The status of the applet's answer; none where the gateway did not answer with one that an applet knows.
    async fn ask(&mut self, name: &'static str, fields: &[(&'static str, String)]) -> Result<Option<u16>, CallError> {
        let mut answer = self.ask_once(name, fields).await?;
        if answer.is_none() && self.on_refused == OnRefused::Retry {
            sleep(RETRY_AFTER).await;
            answer = self.ask_once(name, fields).await?;
        }
        Ok(answer)
    }

    async fn ask_once(
        &mut self,
        name: &'static str,
        fields: &[(&'static str, String)],
    ) -> Result<Option<u16>, CallError> {
        match self.placed.webhooks.get(name, &fields.to_vec()).await {
            Ok(answered) => {
                let Answered { status, .. } = answered;
                self.placed.answered(answered);
                Ok(matches!(status, 200 | 302).then_some(status))
            }
            Err(CallError::Unreachable(why)) => {
                self.note(EventKind::Webhook, format!("the gateway is not there: {why}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

impl Streamed {
    /// Of an applet whose URL nobody answered for.
    fn unanswered(call_sid: String) -> Self {
        let why = "3010 no streaming URL".to_owned();
        Self {
            report: CallReport { call_sid, ..CallReport::default() },
            fields: StreamFields {
                stream_sid: String::new(),
                url: String::new(),
                status: "failed",
                seconds: 0,
                disconnected_by: "NA",
                error: Some(why.clone()),
            },
            failed: Some(NoStream::Handshake(why)),
        }
    }
}

#[cfg(test)]
mod tests;
