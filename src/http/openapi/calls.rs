//! What can be done with calls.

use protocol::call::end::EndCode;
use protocol::exotel::status::STATUSES;

use super::{Operation, Who};
use crate::http::error::Refused;
use crate::http::operator::{LISTED, MOST_LISTED};
use crate::json_schema::{Field, Kind, Object, field, optional, or_null};
use crate::views::schema::{CALL, WHOLE_CALL};
use crate::why::VERDICT;

/// Parameters that all lists take.
pub(super) const AFTER: Field = optional("after", Kind::Text, "`next` of the page before");
pub(super) const LIMIT: Field = optional("limit", Kind::Whole(Some(1), Some(MOST_LISTED)), LIMIT_ABOUT);
const LIMIT_ABOUT: &str = "How many of them a page has; 50 unless it is said";
const _: () = assert!(LISTED == 50, "as the description of `limit` has it");
pub(super) const NEXT: Field =
    or_null("next", Kind::Text, "`after` of the page behind this one; null: it is the last.");

pub(in crate::http) static LIST_CALLS: Operation = Operation {
    id: "listCalls",
    about: "Calls, newest first, a page at a time",
    who: Who::Reader,
    query: &[
        optional("client", Kind::Text, "Of that client: its id, or a number of its own"),
        optional("status", Kind::Word(|| STATUSES.to_vec()), "That have this status"),
        optional("live", Kind::Flag, "true: that are not over"),
        optional("ended", Kind::Word(|| EndCode::ALL.map(EndCode::name).into()), "That ended so"),
        optional(
            "slow",
            Kind::Whole(Some(1), None),
            "Whose caller waited so many ms for an answer, or for the first word",
        ),
        optional("since", Kind::Text, TIME),
        optional("until", Kind::Text, TIME),
        AFTER,
        LIMIT,
    ],
    takes: None,
    gives: (200, Kind::Of(&CALLS)),
    refusals: &[|| Refused::NoSuchClient],
};

const TIME: &str = "That began then at the earliest (`since`), or before (`until`): a time as it is told, a day, or how long ago: `90s`, `15m`, `2h`, `3d`";

const CALLS: Object = Object {
    name: "Calls",
    about: "A page of calls.",
    fields: &[&[field("calls", Kind::List(&Kind::Of(&CALL)), "Newest first."), NEXT]],
};

pub(in crate::http) static GET_CALL: Operation = Operation {
    id: "getCall",
    about: "A call with its figures, transcript, functions, recordings and timeline",
    who: Who::Reader,
    query: &[],
    takes: None,
    gives: (200, Kind::Of(&WHOLE_CALL)),
    refusals: &[|| Refused::UnknownCall],
};

pub(in crate::http) static EXPLAIN_CALL: Operation = Operation {
    id: "explainCall",
    about: "What a call's caller noticed, and whose it was",
    who: Who::Reader,
    query: &[],
    takes: None,
    gives: (200, Kind::Of(&VERDICT)),
    refusals: &[|| Refused::UnknownCall],
};

pub(in crate::http) static HANG_UP: Operation = Operation {
    id: "hangUp",
    about: "Ends a live call; its flow goes on to the next applet",
    who: Who::Operator,
    query: &[],
    takes: None,
    gives: (200, Kind::Of(&HANGUP)),
    refusals: &[|| Refused::UnknownCall, || Refused::NotLive],
};

const HANGUP: Object = Object {
    name: "Hangup",
    about: "A call was asked to end.",
    fields: &[&[
        field("call_sid", Kind::Text, "Which."),
        field("hangup", Kind::Is("requested"), "It ends within a moment."),
    ]],
};
