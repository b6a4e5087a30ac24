//! What a verdict holds as JSON.

use super::verdict::Place;
use crate::json_schema::{Kind, Object, field};

pub(crate) const VERDICT: Object = Object {
    name: "Verdict",
    about: "What a caller noticed, and whose it was.",
    fields: &[&[
        field("call_sid", Kind::Text, "The call."),
        field("so_far", Kind::Flag, "The call goes on, and this is what is known so far."),
        field("noticed", TEXTS, "What its caller noticed."),
        field("places", Kind::List(&PLACE), "Where in the chain that came from, each once."),
        field("findings", Kind::List(&Kind::Of(&FINDING)), "What happened, place by place."),
        field("unexplained", TEXTS, "What was noticed and nothing on record explains."),
        field("missing", TEXTS, "What would have to be on record to explain it."),
        field(
            "known",
            Kind::Word(|| vec!["yes", "likely", "no"]),
            "`yes`: the record says so by a code; `likely`: its numbers say so; `no`: something is not explained.",
        ),
        field("sound", Kind::Text, "What there is to listen to, or why there is nothing."),
        field("lines", TEXTS, "The five lines of `callgate why`."),
    ]],
};

const FINDING: Object = Object {
    name: "Finding",
    about: "Something that happened at one place.",
    fields: &[&[
        field("place", PLACE, "Where."),
        field("what", Kind::Text, "In words."),
        field("facts", TEXTS, "What on record shows it."),
        field("next", TEXTS, "What to look at next: a command, or a page."),
        field("told", Kind::Flag, "The record says so by a code; otherwise its numbers do."),
    ]],
};

const TEXTS: Kind = Kind::List(&Kind::Text);
const PLACE: Kind = Kind::Word(|| Place::ALL.map(Place::name).into());
