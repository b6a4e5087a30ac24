//! How a call is opened: the webhook is asked, then the media socket it names is dialled.

use std::cell::RefCell;
use std::time::Instant;

use tokio::net::TcpStream;

use super::frame;
use super::plan::{LoadError, LoadPlan, Target};
use super::times::Times;
use crate::exotel::{
    CallFields, IndianTime, MediaTarget, Webhooks, exotel_number, refusal, refusal_code, sid, stream_url, tls_config,
};

/// Why a call did not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// The gateway's own code for it (`full`, `client_full`), else `http_` and the status; none where it did not answer.
    pub(super) code: Option<String>,
    pub(super) why: String,
}

impl Refused {
    pub(super) fn answered(what: &str, status: u16, body: &str) -> Self {
        // Whoever answers may be anybody.
        let plain =
            |code: &String| code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let code = refusal_code(body).filter(plain).unwrap_or_else(|| format!("http_{status}"));
        Self { code: Some(code), why: refusal(what, status, body) }
    }
}

impl<T: ToString> From<T> for Refused {
    fn from(why: T) -> Self {
        Self { code: None, why: why.to_string() }
    }
}

/// What it takes to open calls.
pub(super) struct Opener {
    target: Target,
    webhooks: Option<Webhooks>,
    /// What ids are made from: a run's calls are new to a target that has had another run's.
    sids: u64,
    /// How long the webhook's answers took.
    pub(super) answers: RefCell<Times>,
}

/// A call that opened.
pub(super) struct Opened {
    pub(super) tcp: TcpStream,
    /// What came behind the handshake.
    pub(super) rest: Vec<u8>,
    pub(super) fields: CallFields,
    pub(super) stream_sid: String,
}

impl Opener {
    pub(super) fn new(plan: &LoadPlan, unix_us: u64) -> Result<Self, LoadError> {
        let webhooks = match &plan.target {
            Target::Gateway { url, auth, .. } => Some(Webhooks::new(url.clone(), auth.clone(), &tls_config()?)?),
            Target::Media(url) => {
                MediaTarget::new(url.clone())?;
                None
            }
        };
        Ok(Self { target: plan.target.clone(), webhooks, sids: plan.seed ^ unix_us, answers: RefCell::default() })
    }

    /// Opens a run's so-manieth call.
    pub(super) async fn open(&self, nth: usize) -> Result<Opened, Refused> {
        let salt = nth as u64 * 2 + 1_000;
        let mut fields = CallFields {
            call_sid: sid(self.sids, salt),
            // A caller each: gateways limit how often one may call.
            from: format!("0{}", 9_000_000_000 + nth as u64),
            to: "04446970000".into(),
            created: IndianTime::now(),
        };
        let url = match (&self.target, &self.webhooks) {
            (Target::Gateway { to, .. }, Some(webhooks)) => {
                fields.to = to.get(nth % to.len().max(1)).map(|to| exotel_number(to)).unwrap_or_default();
                let asked = Instant::now();
                let answered = webhooks.get("voicebot", &fields.voicebot()).await?;
                if answered.status != 200 {
                    return Err(Refused::answered("voicebot answered", answered.status, &answered.body));
                }
                self.answers.borrow_mut().record(asked.elapsed().as_micros() as u64);
                stream_url(&answered.body).ok_or("voicebot named no URL to stream to")?
            }
            (Target::Gateway { url, .. } | Target::Media(url), _) => url.clone(),
        };
        let target = MediaTarget::new(url)?;
        let (tcp, rest) = match frame::connect(&target).await {
            Ok(opened) => opened,
            Err(_) => frame::connect(&target).await?,
        };
        Ok(Opened { tcp, rest, fields, stream_sid: sid(self.sids, salt + 1) })
    }
}
