//! One call from its first webhook to its last.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use url::Url;

use super::dial::{MediaTarget, Socket, dial, tls_config};
use super::earpiece::Earpiece;
use super::media::{Cut, Media};
use super::plan::{CallPlan, FrameShape, Mode, Say, StatusBody, exotel_number, sid};
use super::report::{CallError, CallReport, EndedBy, EventKind, WebhookAnswer};
use super::rude::{Ending, Line};
use super::script::{Caller, Step};
use super::timeline::Timeline;
use super::timestamp::IndianTime;
use super::voice::Spoken;
use super::webhook::{Answered, CallFields, StreamFields, Webhooks, stream_url};
use super::wire::Speaker;

/// A slug, as account ids are.
const ACCOUNT_SID: &str = "callgate1";

/// Places a call and carries it to its end.
///
/// # Errors
/// [`CallError`]: the plan is wrong, the gateway is not there, refuses the call, or its media socket does not open. What
/// goes wrong once the socket is open is in the report.
pub async fn place_call(plan: CallPlan) -> Result<CallReport, CallError> {
    let timeline = Timeline::new(plan.observer.clone());
    Placed::new(plan, timeline)?.run().await
}

/// A quick hand leaves so long between two keys.
const BETWEEN_KEYS: Duration = Duration::from_millis(130);

/// The script with its audio loaded.
pub(super) fn load(plan: &CallPlan) -> Result<Vec<Step>, CallError> {
    let samples = |length: Duration| length.as_millis() as u64 * u64::from(plan.rate.hz()) / 1_000;
    let mut steps = Vec::new();
    for say in &plan.script {
        let step = match say {
            Say::AgentSpeaks => Step::AgentSpeaks,
            Say::AgentFinished(silence) => Step::AgentFinished(samples(*silence)),
            Say::Wait(length) => Step::Wait(samples(*length)),
            Say::Until(set) => Step::Until(Arc::clone(set)),
            Say::Speak(voice) => Step::Speak(voice.load(plan.rate).map_err(CallError::Plan)?),
            Say::Aside(after, voice) => Step::Aside(samples(*after), voice.load(plan.rate).map_err(CallError::Plan)?),
            Say::BargeIn(after, voice) => {
                Step::BargeIn(samples(*after), voice.load(plan.rate).map_err(CallError::Plan)?)
            }
            Say::Dtmf(key) => {
                tone_of(*key, plan)?;
                Step::Dtmf(*key)
            }
            Say::Type(keys) => {
                for key in keys.chars() {
                    steps.extend([
                        Step::Sound(tone_of(key, plan)?),
                        Step::Dtmf(key),
                        Step::Wait(samples(BETWEEN_KEYS)),
                    ]);
                }
                continue;
            }
        };
        steps.push(step);
    }
    Ok(steps)
}

fn tone_of(key: char, plan: &CallPlan) -> Result<Spoken, CallError> {
    Spoken::key(key, plan.rate).ok_or_else(|| CallError::Plan(format!("there is no key `{key}`")))
}

/// A call that was placed.
pub(super) struct Placed {
    pub(super) plan: CallPlan,
    pub(super) webhooks: Webhooks,
    pub(super) fields: CallFields,
    pub(super) timeline: Timeline,
    answers: Vec<Answered>,
    tls: Arc<ClientConfig>,
}

/// What came of one Voicebot applet.
pub(super) struct Streamed {
    pub(super) report: CallReport,
    /// As the Passthru applet behind it tells.
    pub(super) fields: StreamFields,
    /// Why there was no stream.
    pub(super) failed: Option<NoStream>,
}

/// Why a Voicebot applet had no stream.
pub(super) enum NoStream {
    /// The gateway gave no URL: HTTP status and body.
    Refused(u16, String),
    /// The media socket did not open.
    Handshake(String),
}

impl Placed {
    pub(super) fn new(plan: CallPlan, timeline: Timeline) -> Result<Self, CallError> {
        let tls = tls_config()?;
        Ok(Self {
            webhooks: Webhooks::new(plan.gateway.clone(), plan.auth.clone(), &tls)?,
            fields: CallFields {
                call_sid: plan.call_sid.clone().unwrap_or_else(|| sid(plan.seed, 1)),
                from: exotel_number(&plan.from),
                to: exotel_number(&plan.to),
                created: IndianTime::now(),
            },
            timeline,
            answers: Vec::new(),
            tls,
            plan,
        })
    }

    async fn run(mut self) -> Result<CallReport, CallError> {
        let steps = load(&self.plan)?;
        let Streamed { mut report, fields, failed } = self.stream(2, steps).await?;
        if let Some(NoStream::Refused(status, body)) = failed {
            self.settle(&mut report);
            return Err(CallError::Refused { status, body, report: Box::new(report) });
        }
        self.follow_up(&fields).await;
        self.settle(&mut report);
        match failed {
            Some(NoStream::Handshake(cause)) => Err(CallError::Handshake { cause, report: Box::new(report) }),
            _ => Ok(report),
        }
    }

    /// A Voicebot applet: its URL is asked for, dialled, and spoken on to the stream's end.
    pub(super) async fn stream(&mut self, salt: u64, steps: Vec<Step>) -> Result<Streamed, CallError> {
        let mut report = CallReport { call_sid: self.fields.call_sid.clone(), ..CallReport::default() };
        let stream_sid = sid(self.plan.seed, salt);
        let url = match self.ask().await? {
            Ok(url) => url,
            Err((status, body)) => {
                let failed = Some(NoStream::Refused(status, body));
                let error = Some(format!("3010 no streaming URL, HTTP {status}"));
                return Ok(Streamed {
                    fields: stream_fields(stream_sid, String::new(), &report, error),
                    report,
                    failed,
                });
            }
        };
        let target = MediaTarget::new(url)?;
        let failed = match self.dial(&target).await {
            Ok(socket) => {
                self.media(socket, &target, &stream_sid, steps).run(&mut report, &mut self.timeline).await;
                None
            }
            Err(cause) => Some(cause),
        };
        let error = failed.as_ref().map(|cause| format!("3009 failed to establish ws conn {cause}"));
        let fields = stream_fields(stream_sid, target.url.to_string(), &report, error);
        Ok(Streamed { report, fields, failed: failed.map(NoStream::Handshake) })
    }

    /// The URL to stream to; or the refusal's status and body.
    async fn ask(&mut self) -> Result<Result<Url, (u16, String)>, CallError> {
        let answered = match &self.plan.mode {
            Mode::Media(url) => return Ok(Ok(url.clone())),
            Mode::CallStart => {
                self.webhooks.post("call-start", &self.fields.call_start(), StatusBody::Urlencoded).await?
            }
            Mode::Voicebot => self.webhooks.get("voicebot", &self.fields.voicebot()).await?,
        };
        let url = (answered.status == 200).then(|| stream_url(&answered.body)).flatten();
        let refusal = (answered.status, answered.body.chars().take(300).collect());
        self.answered(answered);
        Ok(url.ok_or(refusal))
    }

    pub(super) fn answered(&mut self, answered: Answered) {
        let took = answered.took.as_secs_f64() * 1_000.0;
        self.timeline
            .note(EventKind::Webhook, format!("{} answered {} in {took:.1} ms", answered.name, answered.status));
        self.answers.push(answered);
    }

    /// Exotel tries again once when the handshake fails.
    async fn dial(&mut self, target: &MediaTarget) -> Result<Socket, String> {
        let abrupt = self.plan.rude.ending == Ending::Drop;
        let mut failure = String::new();
        for _ in 0..2 {
            match dial(target, &self.tls, abrupt).await {
                Ok(socket) => return Ok(socket),
                Err(cause) => {
                    self.timeline.note(EventKind::HandshakeFailed, cause.clone());
                    failure = cause;
                }
            }
        }
        Err(failure)
    }

    fn media(&mut self, socket: Socket, target: &MediaTarget, stream_sid: &str, steps: Vec<Step>) -> Media {
        let plan = &self.plan;
        let opened = Instant::now();
        self.timeline.start(opened);
        self.timeline.note_at(0, EventKind::MediaOpen, format!("at {} Hz", plan.rate.hz()));
        let samples_per_ms = u64::from(plan.rate.hz()) / 1_000;
        let shape = if plan.rude.odd_frames { FrameShape::Odd } else { plan.frame };
        Media {
            socket,
            speaker: Speaker {
                stream_sid: stream_sid.to_owned(),
                call_sid: self.fields.call_sid.clone(),
                account_sid: ACCOUNT_SID,
                from: self.fields.from.clone(),
                to: self.fields.to.clone(),
                rate: plan.rate,
                custom_parameters: target.custom_parameters.clone(),
                camel_case: plan.rude.camel_case,
                sequence: 0,
                chunk: 0,
            },
            line: Line::new(plan.rude.clone(), plan.seed),
            caller: Caller::new(steps, plan.patience.as_millis() as u64 * samples_per_ms, samples_per_ms),
            earpiece: Earpiece::new(plan.rate),
            cut: Cut::new(shape, plan.rate, plan.seed),
            opened,
            deadline: self.timeline.placed() + plan.timeout,
            end: plan.end,
            ending: plan.rude.ending,
            echo_cleared: plan.rude.marks.echo_cleared,
            late_marks: Vec::new(),
        }
    }

    /// What follows the stream in the flow: the Passthru applet, then the call's end.
    async fn follow_up(&mut self, stream: &StreamFields) {
        if self.plan.after.passthru {
            let answered = self.webhooks.get("passthru", &self.fields.passthru(stream)).await;
            self.followed(answered);
        }
        self.call_end().await;
    }

    /// The call is over: what Exotel says of it last.
    pub(super) async fn call_end(&mut self) {
        if let Some(body) = self.plan.after.call_end {
            let answered = self.webhooks.post("call-end", &self.fields.call_end("completed"), body).await;
            self.followed(answered);
        }
    }

    /// A webhook after the call that is not answered takes nothing from the call.
    fn followed(&mut self, answered: Result<Answered, CallError>) {
        match answered {
            Ok(answered) => self.answered(answered),
            Err(error) => self.timeline.note(EventKind::Webhook, error.to_string()),
        }
    }

    pub(super) fn settle(&mut self, report: &mut CallReport) {
        report.webhooks = std::mem::take(&mut self.answers)
            .into_iter()
            .map(|answered| WebhookAnswer {
                name: answered.name,
                status: answered.status,
                headers: answered.headers,
                body: answered.body,
                at_ms: self.timeline.told_ms(answered.sent_at),
                took_ms: answered.took.as_secs_f64() * 1_000.0,
            })
            .collect();
        report.timeline = self.timeline.finish();
    }
}

fn stream_fields(stream_sid: String, url: String, report: &CallReport, error: Option<String>) -> StreamFields {
    StreamFields {
        stream_sid,
        url,
        status: if error.is_some() { "failed" } else { "completed" },
        seconds: report.media_ms / 1_000,
        disconnected_by: match report.ended_by {
            EndedBy::NotOpened => "NA",
            EndedBy::Caller => "user",
            EndedBy::Gateway | EndedBy::Broken | EndedBy::Timeout => "bot",
        },
        error,
    }
}
