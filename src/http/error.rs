//! Why a request is refused, and how that is told: `{"error":{"code","message","field"?}}`.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use actors::Refusal;
use protocol::exotel::webhook::{FieldError, FieldProblem};

use super::auth::AuthError;
use crate::agent::Mistake;
use crate::calls;
use crate::calls::token::TokenError;
use crate::store::StoreError;

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// 400: a field is missing or malformed, or the body cannot be read.
    #[error("{0}")]
    Field(FieldError),
    /// 400: the body is not what its content type says.
    #[error("the body is not {0}")]
    Body(&'static str),
    /// 400: an agent file with mistakes.
    #[error("the agent has mistakes, and nothing was applied: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    AgentFile(Vec<Mistake>),
    /// 400: an agent file that is not one client's.
    #[error("{0}")]
    NotApplied(String),
    /// 409: a client that was changed since it was read.
    #[error(
        "the client was changed meanwhile, and nothing was applied: GET its agent again, and PUT with that `version`"
    )]
    Stale,
    /// 400: a body that broke off.
    #[error("the body is not whole")]
    Broken,
    /// 400: a field that nobody knows.
    #[error("the field `{0}` is not known")]
    UnknownField(String),
    /// 400: a parameter of the query string that nobody knows; and those that are known.
    #[error("the parameter `{0}` is not known: {1}")]
    UnknownParameter(String, String),
    /// 401: a webhook or a static media socket without the right credentials.
    #[error("{0}")]
    Auth(AuthError),
    /// 401: an operator without the right Bearer token.
    #[error("Authorization: Bearer with the ADMIN_TOKEN is wanted")]
    Operator,
    /// 401: a media token that opens nothing.
    #[error("{0}")]
    Token(TokenError),
    /// 403: an address that is not allowed.
    #[error("requests from this address are not allowed (ALLOWED_IPS)")]
    Address,
    /// 403: a name that somebody pointed at this machine.
    #[error("the Host is not this machine, and no secret was shown (WEBHOOK_AUTH=none)")]
    Host,
    /// 403: a web page's request.
    #[error("a web page of another origin may not ask for this, and no secret was shown (WEBHOOK_AUTH=none)")]
    Origin,
    /// 403: the operators' API is off.
    #[error("the API is off: set ADMIN_TOKEN")]
    ApiOff,
    /// 404: no such client.
    #[error("no client has that id or number")]
    NoSuchClient,
    /// 404: no such call.
    #[error("no call has that CallSid")]
    UnknownCall,
    /// 404: no such page.
    #[error("nothing is served at this path")]
    NoRoute,
    /// 405: which methods there are instead.
    #[error("this path takes {0}")]
    Method(Cow<'static, str>),
    /// 408: a body that did not arrive.
    #[error("the body did not arrive in time")]
    Slow,
    /// 409: the call is not live.
    #[error("the call is not live on this node")]
    NotLive,
    /// 409: another client has that number.
    #[error("the number belongs to another client (id {0})")]
    NumberTaken(i64),
    /// 413: more than a webhook can be; so many bytes came, at least.
    #[error("the body is larger than 64 KiB, or as a client's agent larger than 256 KiB")]
    TooLarge(usize),
    /// 415: a body in a form we do not read.
    #[error("the content type must be application/json, application/x-www-form-urlencoded or multipart/form-data")]
    MediaType,
    /// 415: an operator's body that is no JSON.
    #[error("the content type must be application/json")]
    NotJson,
    /// 426: a media URL without a WebSocket upgrade.
    #[error("this is a media stream: it takes a WebSocket upgrade")]
    NoUpgrade,
    /// 429: an address that failed to authenticate too often.
    #[error("too many failed authentications from this address")]
    Guessing {
        /// When it may be tried again.
        retry_after: Duration,
    },
    /// 404, 409, 401, 429 or 503: the call may not begin, not go on, or goes nowhere.
    #[error("{0}")]
    Call(calls::Refused),
    /// 503: the database did not answer in time, or failed.
    #[error("the storage is away: the request was not written down")]
    StorageAway,
}

impl Refused {
    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::AgentFile(_)
            | Self::NotApplied(_)
            | Self::Field(_)
            | Self::Body(_)
            | Self::Broken
            | Self::UnknownField(_)
            | Self::UnknownParameter(..) => StatusCode::BAD_REQUEST,
            Self::Auth(_) | Self::Operator | Self::Token(_) => StatusCode::UNAUTHORIZED,
            Self::Address | Self::Host | Self::Origin | Self::ApiOff => StatusCode::FORBIDDEN,
            Self::NoSuchClient | Self::UnknownCall | Self::NoRoute => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::NotLive | Self::NumberTaken(_) | Self::Stale => StatusCode::CONFLICT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType | Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NoUpgrade => StatusCode::UPGRADE_REQUIRED,
            Self::Guessing { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::StorageAway => StatusCode::SERVICE_UNAVAILABLE,
            Self::Call(refused) => of_call(refused),
        }
    }

    /// The word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Body(_) | Self::Broken => "malformed_body",
            Self::Field(error) => match error.problem {
                FieldProblem::Body(_) => "malformed_body",
                FieldProblem::Missing(_) => "missing_field",
                FieldProblem::Malformed(_) => "malformed_field",
            },
            Self::UnknownField(_) => "unknown_field",
            Self::UnknownParameter(..) => "unknown_parameter",
            Self::Auth(error) => error.code(),
            Self::Operator => "unauthenticated",
            Self::Token(TokenError::Malformed) => "token_malformed",
            Self::Token(TokenError::BadSignature) => "token_forged",
            Self::Token(TokenError::Expired) => "token_expired",
            Self::Address => "address_not_allowed",
            Self::Host => "host_not_allowed",
            Self::Origin => "origin_not_allowed",
            Self::ApiOff => "api_off",
            Self::NoSuchClient => "unknown_client",
            Self::UnknownCall => "unknown_call",
            Self::NoRoute => "not_found",
            Self::Method(_) => "method_not_allowed",
            Self::Slow => "body_timeout",
            Self::NotLive => "not_live",
            Self::NumberTaken(_) => "number_taken",
            Self::AgentFile(_) | Self::NotApplied(_) => "malformed_agent",
            Self::Stale => "stale_version",
            Self::TooLarge(_) => "body_too_large",
            Self::MediaType | Self::NotJson => "unsupported_media_type",
            Self::NoUpgrade => "upgrade_required",
            Self::Guessing { .. } => "rate_limited",
            Self::Call(refused) => refused.code(),
            Self::StorageAway => "storage_away",
        }
    }

    /// The field at fault, in Exotel's spelling.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Field(error) if matches!(error.problem, FieldProblem::Body(_)) => None,
            Self::Field(error) => Some(error.field),
            Self::Call(calls::Refused::UnknownClient | calls::Refused::AnotherClient) => Some("CallTo"),
            Self::Call(calls::Refused::UnknownCall) => Some("CallSid"),
            Self::NumberTaken(_) => Some("number"),
            Self::UnknownField(name) | Self::UnknownParameter(name, _) => Some(name),
            _ => None,
        }
    }

    /// Whole seconds after which another attempt makes sense.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Call(calls::Refused::TooMany { retry_after, .. }) | Self::Guessing { retry_after } => {
                Some(retry_after.as_millis().div_ceil(1000).max(1) as u64)
            }
            Self::Call(calls::Refused::NoRoom(Refusal::Draining)) => Some(5),
            Self::Call(calls::Refused::NoRoom(_)) => Some(2),
            Self::StorageAway => Some(1),
            _ => None,
        }
    }

    /// Headers of the answer, as the API describes them.
    pub(super) fn headers(&self) -> impl Iterator<Item = &'static str> {
        let of_its_own = match self {
            Self::Method(_) => Some("Allow"),
            Self::Operator => Some("WWW-Authenticate"),
            _ => None,
        };
        of_its_own.into_iter().chain(self.retry_after().map(|_| "Retry-After"))
    }

    /// Whether the sender never showed who they are: such requests come in any number.
    pub(super) fn is_of_stranger(&self) -> bool {
        let status = self.status();
        let before_they_do = [
            StatusCode::UNAUTHORIZED,
            StatusCode::FORBIDDEN,
            StatusCode::METHOD_NOT_ALLOWED,
            StatusCode::PAYLOAD_TOO_LARGE,
            StatusCode::REQUEST_TIMEOUT,
        ];
        before_they_do.contains(&status) || matches!(self, Self::Broken | Self::Guessing { .. })
    }

    /// Counts it.
    pub(super) fn count(&self) -> &Self {
        metrics::counter!("callgate_refusals_total", "code" => self.code()).increment(1);
        self
    }

    /// The answer. Counted here, so that every refusal is.
    #[must_use]
    pub fn answer(&self) -> HttpResponse {
        self.count().answer_uncounted()
    }

    /// The answer to those who only ask how things are.
    pub(super) fn answer_uncounted(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status());
        if let Some(secs) = self.retry_after() {
            answer.insert_header((header::RETRY_AFTER, secs));
        }
        match self {
            Self::Method(allowed) => answer.insert_header((header::ALLOW, &**allowed)),
            Self::Auth(_) => answer.insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"callgate\"")),
            Self::Operator => answer.insert_header((header::WWW_AUTHENTICATE, "Bearer")),
            Self::NoUpgrade => answer.insert_header((header::UPGRADE, "websocket")),
            _ => &mut answer,
        };
        let mut error = serde_json::json!({ "code": self.code(), "message": self.to_string() });
        if let Some(field) = self.field() {
            error["field"] = field.into();
        }
        if let Self::AgentFile(mistakes) = self {
            let told = |mistake: &Mistake| serde_json::json!({ "key": mistake.key, "problem": mistake.problem });
            error["mistakes"] = mistakes.iter().map(told).collect();
        }
        answer.json(serde_json::json!({ "error": error }))
    }
}

impl From<FieldError> for Refused {
    fn from(error: FieldError) -> Self {
        Self::Field(error)
    }
}

impl From<AuthError> for Refused {
    fn from(error: AuthError) -> Self {
        Self::Auth(error)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        // Told once here: the answer says no more than that the storage is away.
        tracing::error!(%error, "the database failed a request");
        Self::StorageAway
    }
}

impl From<TokenError> for Refused {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

impl From<calls::Refused> for Refused {
    fn from(refused: calls::Refused) -> Self {
        match refused {
            calls::Refused::Field(error) => Self::Field(error),
            calls::Refused::StorageAway => Self::StorageAway,
            refused => Self::Call(refused),
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Call(refusal.into())
    }
}

const fn of_call(refused: &calls::Refused) -> StatusCode {
    match refused {
        calls::Refused::Field(_) => StatusCode::BAD_REQUEST,
        calls::Refused::UnknownClient
        | calls::Refused::UnknownCall
        | calls::Refused::AnotherClient
        | calls::Refused::NoTransfer => StatusCode::NOT_FOUND,
        calls::Refused::Over => StatusCode::CONFLICT,
        calls::Refused::StreamUsed => StatusCode::UNAUTHORIZED,
        calls::Refused::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        calls::Refused::NoRoom(_) | calls::Refused::StorageAway => StatusCode::SERVICE_UNAVAILABLE,
    }
}
