//! What [the views](super) hold, for whoever programs against them.

use protocol::call::end::{EndCode, EndedBy};
use protocol::call::latency::{Awaited, Part};

use crate::json_schema::{COUNT, Field, Kind, Object, field, optional, or_null};
use crate::store::{Entry, OutcomeStatus, RecordingStatus};

pub(crate) const CALL: Object =
    Object { name: "Call", about: "A call, as lists have it.", fields: &[&PARTIES, CALL_FIELDS] };

pub(crate) const WHOLE_CALL: Object = Object {
    name: "WholeCall",
    about: "A call with all that is on record of it.",
    fields: &[
        &PARTIES,
        CALL_FIELDS,
        &[
            field("turns", Kind::List(&Kind::Of(&TURN)), "The transcript, as heard."),
            field("tools", Kind::List(&Kind::Of(&TOOL_RUN)), "The latest functions that were called, in order."),
            field("transfers", Kind::List(&Kind::Of(&TRANSFER)), "Where its caller was handed on to, in order."),
            field("recordings", Kind::List(&Kind::Of(&RECORDING)), "What there is to listen to."),
            or_null(
                "outcome",
                Kind::Of(&OUTCOME),
                "What was found out of it; null: nobody was to find anything out, or has yet.",
            ),
            field("timeline", Kind::List(&Kind::Of(&STEP)), "What happened, oldest first."),
        ],
    ],
};

/// Who calls whom, and since when.
pub(crate) const PARTIES: [Field; 4] = [
    or_null("from", Kind::Text, "Caller, in E.164 where the number could be understood."),
    or_null("to", Kind::Text, "Number that was dialled, likewise."),
    or_null("direction", Kind::Text, "As the carrier spells it: `incoming`, `outbound-dial`."),
    field("started_at", Kind::Time, "When it came in."),
];

const CALL_FIELDS: &[Field] = &[
    field("call_sid", Kind::Text, "Exotel's id of the call."),
    field("trace_id", Kind::Text, "Id of the call's trace, 32 hex digits."),
    or_null("client", Kind::Text, "Name of the client whose call it is; null: nobody's."),
    or_null(
        "entry",
        Kind::Word(|| Entry::ALL.map(Entry::name).into()),
        "How it came in; null: only the carrier's reports tell of it.",
    ),
    field(
        "status",
        Kind::Text,
        "`in-progress`, `completed`, `failed`, or what the carrier said: `busy`, `no-answer`, `canceled`.",
    ),
    or_null("carrier_status", Kind::Text, "The most final status that the carrier told."),
    or_null("ended_by", ENDED_BY, "Whose account of the end this is."),
    or_null("ended_code", ENDED_CODE, "How it ended, in one word; null: it has not."),
    or_null("ended_why", Kind::Text, "The same in words for people."),
    field("live", Kind::Flag, "This gateway has its media stream, or waits for one."),
    or_null("answered_at", Kind::Time, "When it was answered, as the carrier told."),
    or_null("media_at", Kind::Time, "When its media stream began."),
    or_null("ended_at", Kind::Time, "When it ended."),
    field("figures", Kind::Of(&FIGURES), "How it went."),
];

pub(crate) const ENDED_CODE: Kind = Kind::Word(|| EndCode::ALL.map(EndCode::name).into());
const ENDED_BY: Kind = Kind::Word(|| EndedBy::ALL.map(EndedBy::name).into());
const WHO: Kind = Kind::Word(|| vec!["caller", "agent"]);
pub(crate) const RECORDING_STATUS: Kind = Kind::Word(|| RecordingStatus::ALL.map(RecordingStatus::name).into());

pub(crate) const FIGURES: Object = Object {
    name: "Figures",
    about: "How a call went; null: not known (yet).",
    fields: &[&[
        or_null(
            "duration_ms",
            COUNT,
            "From the start of the media stream to the end (without media: the conversation as the carrier told), ms.",
        ),
        or_null("caller_talk_ms", COUNT, "The caller spoke, ms."),
        or_null("agent_talk_ms", COUNT, "The agent was heard, ms."),
        or_null("turns", COUNT, "Turns of the transcript."),
        or_null("interruptions", COUNT, "Times the caller cut the agent short."),
        or_null(
            "first_audio_ms",
            COUNT,
            "From the start of the media stream to the first audio sent to the caller, ms.",
        ),
        or_null(
            "answer_p50_ms",
            COUNT,
            "From the caller's last speech to the answer's first audio sent, ms: median over the turns.",
        ),
        or_null("answer_p95_ms", COUNT, "The same, 95th percentile."),
        or_null("answer_max_ms", COUNT, "The same, the longest."),
        or_null("unheard_ms", COUNT, "Audio generated and cut before it was heard, ms."),
        or_null("model_reconnects", COUNT, "Model connections after the first."),
        or_null("frames_lost", COUNT, "Audio frames lost, late or dropped, both ways."),
        or_null("tokens", Kind::Of(&TOKENS), "Tokens by kind."),
        or_null("cost_microusd", COUNT, "Estimated cost, millionths of a US dollar."),
    ]],
};

const TOKENS: Object = Object {
    name: "Tokens",
    about: "Tokens by kind. Cached ones are part of the inputs.",
    fields: &[&[
        field("input_text", COUNT, "Text in."),
        field("input_audio", COUNT, "Audio in."),
        field("cached_text", COUNT, "Of the text in, cached."),
        field("cached_audio", COUNT, "Of the audio in, cached."),
        field("output_text", COUNT, "Text out."),
        field("output_audio", COUNT, "Audio out."),
    ]],
};

const TURN: Object = Object {
    name: "Turn",
    about: "What one side said.",
    fields: &[
        &SAID,
        &[
            field("index", COUNT, "Position in the conversation, from 0."),
            field("heard_ms", COUNT, "Audio heard (agent) or spoken (caller), ms."),
            field("generated_ms", COUNT, "Audio generated, ms (agent); 0 for the caller."),
            or_null("answer_ms", COUNT, "An answer began with it: ms from the caller's last speech until it was sent."),
            field("clip", Kind::Flag, "A fixed sentence, unknown to the model."),
            field(
                "backchannel",
                Kind::Flag,
                "The caller's, who wanted nothing by it: a cough, or what a listener says.",
            ),
        ],
    ],
};

/// What was said, by whom and when.
pub(crate) const SAID: [Field; 5] = [
    field("who", WHO, "Who spoke."),
    field("text", Kind::Text, "The words; of the agent only what was heard."),
    field("at_ms", COUNT, "When it began to be spoken or played, ms since the media stream began."),
    field("interrupted", Kind::Flag, "It was cut short: by the caller, or it broke off."),
    or_null("latency", Kind::Of(&LATENCY), "The caller waited for it: how long, and for what."),
];

const LATENCY: Object = Object {
    name: "Latency",
    about: "How long the caller waited until they heard an answer, in contiguous parts.",
    fields: &[&[
        field("of", Kind::Word(|| Awaited::ALL.map(Awaited::name).into()), "What they waited for."),
        field("item", Kind::Text, "The model's id of what they heard first."),
        field("from_ms", COUNT, "Since when they waited, ms since the call's first media stream began."),
        field("ms", COUNT, "How long; the sum of the parts."),
        field("parts", Kind::By(|| Part::ALL.map(Part::name).into(), &COUNT), "What the time went to, ms."),
        field(
            "heard",
            Kind::Flag,
            "The carrier's echo says that it was heard; otherwise the whole ends when it was sent.",
        ),
        or_null("network_ms", COUNT, "Round trip of the model's connection, ms."),
        or_null("carrier_echo_ms", COUNT, "How late the echoes of this carrier are at least, ms."),
        field(
            "asked",
            COUNT,
            "The gateway asked for a response so many times; otherwise the server began it by itself.",
        ),
        field("stalled", Kind::Flag, "The carrier's socket would not take the audio at once."),
        field("endpointing_ms", COUNT, "The silence by which the end of a turn is known, ms."),
        field("semantic", Kind::Flag, "That is an `eagerness`, and this the longest of it."),
        field("confirmed", Kind::Flag, "Sounds are judged before they are turns."),
        field("slow", Kind::Flag, "It was longer than callers bear: 2 s, of a greeting 1 s."),
        or_null("largest", Kind::Word(|| Part::ALL.map(Part::name).into()), "The largest part."),
        or_null("owner", Kind::Word(|| vec!["carrier", "network", "model", "us", "setting", "tool"]), "Whose that is."),
        or_null("setting", Kind::Text, "Its name in an agent file, where it is a setting's."),
    ]],
};

pub(crate) const TOOL_RUN: Object = Object {
    name: "ToolRun",
    about: "A function that a call had run.",
    fields: &[&[
        field("tool_call_id", Kind::Text, "Counts over the call."),
        field("tool", Kind::Text, "The function."),
        field("arguments", Kind::Text, "As the model wrote them: JSON, as a rule."),
        or_null("output", Kind::Text, "What it came to; null: it has not, or nobody wrote it down."),
        field("at_ms", COUNT, "When it was called, ms into the call."),
    ]],
};

pub(crate) const TRANSFER: Object = Object {
    name: "Transfer",
    about: "A caller was handed on.",
    fields: &[
        &TRANSFER_TOLD,
        &[
            or_null("outcome", Kind::Text, "What became of it, in the carrier's word; null: not told."),
            field("at", Kind::Time, "When that was decided."),
        ],
    ],
};

/// What is known of a transfer at once.
pub(crate) const TRANSFER_TOLD: [Field; 4] = [
    or_null("to", Kind::Text, "Which of the client's destinations; null: whomever the flow has."),
    field("reason", Kind::Text, "Why."),
    or_null("summary", Kind::Text, "What whoever picks up must know, in the agent's words."),
    field("cause", ENDED_CODE, "The end of the stream that it followed from."),
];

pub(crate) const OUTCOME: Object = Object {
    name: "Outcome",
    about: "What a text model found out of a call, or why it did not.",
    fields: &[&[
        field("status", Kind::Word(|| OutcomeStatus::ALL.map(OutcomeStatus::name).into()), "How far that came."),
        or_null("outcome", Kind::Anything, "What was found out, as the client's schema has it."),
        or_null("why", Kind::Text, "Why nothing was."),
        or_null("model", Kind::Text, "The model that was asked."),
        field("updated_at", Kind::Time, "Since when it stands so."),
    ]],
};

pub(crate) const SOURCE: Field =
    field("source", Kind::Text, "Where it came from: the carrier's URL, or a word for what the gateway made itself.");

/// What was recorded, and where it is.
pub(crate) const FILE: [Field; 5] = [
    SOURCE,
    or_null("url", Kind::Text, "Where it is: `file:///folder/key`, `s3://bucket/prefix/key`."),
    or_null("bytes", COUNT, "Its size."),
    or_null("sha256", Kind::Text, "SHA-256 of what is stored, lower-case hex."),
    or_null("content_type", Kind::Text, "What it is."),
];

const RECORDING: Object = Object {
    name: "Recording",
    about: "Something to listen to.",
    fields: &[
        &FILE,
        &[
            field("id", COUNT, "Its id."),
            field("status", RECORDING_STATUS, "Whether it is where it shall be."),
            or_null("error", Kind::Text, "Why it failed, or why it is not stored yet."),
            field("created_at", Kind::Time, "When it was announced."),
            field("updated_at", Kind::Time, "When its status became what it is."),
        ],
    ],
};

const STEP: Object = Object {
    name: "Step",
    about: "Something that happened, as the audit log has it.",
    fields: &[&[
        field("at", Kind::Time, "When."),
        field("kind", Kind::Text, "What: `webhook.voicebot`, `call.media-started`."),
        field("outcome", Kind::Text, "How it went, in a word or two."),
        or_null("remote_addr", Kind::Text, "Where a request came from."),
        or_null("request_id", Kind::Text, "`X-Request-Id` of its answer."),
        field("payload", Kind::Anything, "Everything that was told."),
    ]],
};

pub(crate) const CLIENT: Object = Object {
    name: "Client",
    about: "A tenant.",
    fields: &[&[
        field("id", COUNT, "Its id."),
        field("name", Kind::Text, "What it is called, for people."),
        field("number", Kind::Text, "The ExoPhone that it is known by, in E.164."),
        field("active", Kind::Flag, "Takes calls."),
        field("greeting", Kind::Text, "What callers are greeted with; a template."),
        field("language", Kind::Text, "Of the agent, BCP 47: `hi-IN`."),
        or_null("transcription_language", Kind::Text, "Of its callers, ISO 639-1; null: they mix languages."),
        or_null("voice", Kind::Text, "The agent's voice; null: the model's default."),
        field("instructions", Kind::Text, "System prompt; a template."),
        or_null("model", Kind::Text, "Its model; null: the gateway's."),
        field("tools", Kind::List(&Kind::Anything), "Empty: functions stand in the agent file."),
        field("time_zone", Kind::Text, "IANA name."),
        field("region", Kind::Text, "Country in which numbers are read, ISO 3166."),
        or_null("max_concurrent", COUNT, "Live calls; null: as many as the gateway."),
        or_null("calls_per_minute", COUNT, "Calls a minute, over all callers; null: the default."),
        or_null("caller_calls_per_minute", COUNT, "Calls a minute of one caller; null: the default."),
        or_null("max_call_secs", COUNT, "Longest call, s; null: the gateway's."),
        field("recording", Kind::Word(|| vec!["on", "off"]), "Whether calls are recorded."),
        or_null("events_url", Kind::Text, "Where it is told of its calls; null: nowhere."),
        field("created_at", Kind::Time, "When it was added."),
        field("updated_at", Kind::Time, "When it was changed last."),
        optional(
            "events_secret",
            Kind::Text,
            "What its events are signed with: in the answer that it was made for, and never again.",
        ),
    ]],
};
