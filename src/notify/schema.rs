//! What events hold.

use crate::json_schema::{COUNT, Field, Kind, Object, field, or_null};
use crate::store::{CALL_ANALYSED, CALL_ENDED, CALL_STARTED, CALL_TRANSFERRED, COMPLETED_AFTER_CALL, RECORDING_STORED};
use crate::views::schema::{
    ENDED_CODE, FIGURES, FILE, OUTCOME, PARTIES, RECORDING_STATUS, SAID, SOURCE, TOOL_RUN, TRANSFER, TRANSFER_TOLD,
};

/// All that clients are told, by its type.
pub(crate) const EVENTS: [(&str, &Object); 6] = [
    (CALL_STARTED, &STARTED),
    (CALL_TRANSFERRED, &TRANSFERRED),
    (CALL_ENDED, &ENDED),
    (RECORDING_STORED, &RECORDED),
    (CALL_ANALYSED, &ANALYSED),
    (COMPLETED_AFTER_CALL, &COMPLETED),
];

/// What all of them have.
const HEAD: &[Field] = &[
    field("id", Kind::Text, "The event's, the same however often it is told."),
    field("created_at", Kind::Time, "When what it tells of happened."),
    field("call_sid", Kind::Text, "Exotel's id of the call."),
];

/// Whose call it is: all save `recording.stored` say so, and whose [`PARTIES`] it has.
const CLIENT: &[Field] = &[field("client", Kind::Text, "Name of the client.")];

const DATA: &str = "What there is to say.";
const TYPE: &str = "What happened.";

const STARTED: Object = Object {
    name: "CallStarted",
    about: "A call was admitted.",
    fields: &[HEAD, &[field("type", Kind::Is(CALL_STARTED), TYPE), field("data", Kind::Of(&STARTED_DATA), DATA)]],
};
const STARTED_DATA: Object = Object { name: "CallStartedData", about: "The call.", fields: &[CLIENT, &PARTIES] };

const TRANSFERRED: Object = Object {
    name: "CallTransferred",
    about: "The agent handed the caller on, and no telephone rang yet.",
    fields: &[
        HEAD,
        &[field("type", Kind::Is(CALL_TRANSFERRED), TYPE), field("data", Kind::Of(&TRANSFERRED_DATA), DATA)],
    ],
};
const TRANSFERRED_DATA: Object = Object {
    name: "CallTransferredData",
    about: "The call, and where its caller goes.",
    fields: &[CLIENT, &PARTIES, &[field("transfer", Kind::Of(&NEW_TRANSFER), "Where to, and why.")]],
};
const NEW_TRANSFER: Object = Object { name: "NewTransfer", about: "A caller is handed on.", fields: &[&TRANSFER_TOLD] };

const ENDED: Object = Object {
    name: "CallEnded",
    about: "A call is over for good: where it could have come back, a minute later.",
    fields: &[HEAD, &[field("type", Kind::Is(CALL_ENDED), TYPE), field("data", Kind::Of(&ENDED_DATA), DATA)]],
};
const ENDED_DATA: Object = Object {
    name: "CallEndedData",
    about: "The whole call. A list for which an event of 256 KiB has no room is a link.",
    fields: &[
        CLIENT,
        &PARTIES,
        &[
            field("status", Kind::Text, "`completed`, `failed`, or what the carrier said: `busy`, `no-answer`."),
            or_null("ended_code", ENDED_CODE, "How it ended, in one word."),
            or_null("ended_why", Kind::Text, "The same in words for people."),
            or_null("media_at", Kind::Time, "When its media stream began."),
            or_null("ended_at", Kind::Time, "When it ended."),
            field("figures", Kind::Of(&FIGURES), "How it went."),
            or_null("transfer", Kind::Of(&TRANSFER), "The last one; null: there was none."),
            field("transcript", Kind::Either(&[Kind::List(&Kind::Of(&LINE)), LINKED]), "What was said, as heard."),
            field("tools", Kind::Either(&[Kind::List(&Kind::Of(&TOOL_RUN)), LINKED]), FUNCTIONS),
            field("recordings", Kind::Either(&[Kind::List(&Kind::Of(&SOUND)), LINKED]), "And how far they are."),
            or_null("outcome", Kind::Of(&OUTCOME), "What was found out of it; null: nothing (yet)."),
        ],
    ],
};
const FUNCTIONS: &str = "What functions were called with, and what the model was told that they came to.";

const LINKED: Kind = Kind::Of(&LINK);
const LINK: Object = Object {
    name: "Link",
    about: "There was no room for it.",
    fields: &[&[field("link", Kind::Text, "Where it can be read, with the client's token.")]],
};

const LINE: Object = Object {
    name: "TranscriptLine",
    about: "What one side said.",
    fields: &[&SAID, &[field("backchannel", Kind::Flag, "The caller's, who wanted nothing by it.")]],
};

const SOUND: Object = Object {
    name: "CallRecording",
    about: "Something to listen to.",
    fields: &[&[
        field("recording_id", COUNT, "Its id."),
        field("status", RECORDING_STATUS, "Whether it is where it shall be; then `recording.stored` tells of it, too."),
        SOURCE,
        or_null("url", Kind::Text, "Where it is."),
        or_null("bytes", COUNT, "Its size."),
    ]],
};

const RECORDED: Object = Object {
    name: "RecordingStored",
    about: "A recording can be had.",
    fields: &[HEAD, &[field("type", Kind::Is(RECORDING_STORED), TYPE), field("data", Kind::Of(&RECORDED_DATA), DATA)]],
};
const RECORDED_DATA: Object = Object {
    name: "RecordingStoredData",
    about: "The recording, and of the call no more than whose it is.",
    fields: &[CLIENT, &[field("recording_id", COUNT, "Its id.")], &FILE],
};

const ANALYSED: Object = Object {
    name: "CallAnalysed",
    about: "A text model found out what came of a call, or could not.",
    fields: &[HEAD, &[field("type", Kind::Is(CALL_ANALYSED), TYPE), field("data", Kind::Of(&ANALYSED_DATA), DATA)]],
};
const ANALYSED_DATA: Object = Object {
    name: "CallAnalysedData",
    about: "The call, and what came of it.",
    fields: &[CLIENT, &PARTIES, &[or_null("outcome", Kind::Of(&OUTCOME), "What was found out.")]],
};

const COMPLETED: Object = Object {
    name: "ToolCompletedAfterCall",
    about: "A function that changes something came to an end when its call was over.",
    fields: &[
        HEAD,
        &[field("type", Kind::Is(COMPLETED_AFTER_CALL), TYPE), field("data", Kind::Of(&COMPLETED_DATA), DATA)],
    ],
};
const COMPLETED_DATA: Object = Object {
    name: "ToolCompletedAfterCallData",
    about: "The call, and what the function came to.",
    fields: &[CLIENT, &PARTIES, &[field("tool", Kind::Of(&COMPLETED_TOOL), "The function.")]],
};
const COMPLETED_TOOL: Object = Object {
    name: "CompletedTool",
    about: "A function that came to an end.",
    fields: &[&[
        field("tool_call_id", Kind::Text, "Counts over the call."),
        field("tool", Kind::Text, "The function."),
        field("ok", Kind::Flag, "It was done."),
        field("output", Kind::Text, "What came of it."),
    ]],
};
