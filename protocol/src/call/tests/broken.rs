//! Answers that broke off.

use super::*;
use crate::realtime::command::NewItem;

const WORDS: &str = "We are open from nine to five on weekdays and from ten to two on Saturdays, and if you cannot come in those \
                     hours you can leave your number with us.";

/// An answer of which nine seconds came, and all of its words.
fn answering() -> Rig {
    let mut rig = Rig::live();
    rig.caller_turn(1, "u1");
    rig.transcript(1, "u1", "When are you open?");
    rig.response_created(1, "r1");
    rig.words(1, &key("r1", "a1"), WORDS);
    for _ in 0..36 {
        rig.audio(1, &key("r1", "a1"), 250);
    }
    rig
}

fn note(rig: &Rig) -> Option<String> {
    rig.sent().into_iter().find_map(|e| match e {
        ClientEvent::CreateItem(NewItem::System(note)) => Some(note.clone()),
        _ => None,
    })
}

fn assistant(rig: &Rig) -> Vec<String> {
    let said = rig.sent().into_iter().filter_map(|e| match e {
        ClientEvent::CreateItem(NewItem::Assistant(words)) => Some(words.clone()),
        _ => None,
    });
    said.filter(|words| words != "Welcome to the clinic.").collect()
}

fn cut(rig: &Rig) -> Turn {
    let row = rig.rows().into_iter().rfind(|turn| turn.who == Who::Agent).expect("a turn of the agent's");
    assert!(row.interrupted, "{row:?}");
    assert!(WORDS.starts_with(&row.text) && row.text.len() < WORDS.len(), "{row:?}");
    row
}

#[test]
fn an_answer_broken_off_by_a_lost_session_is_on_record_as_far_as_it_was_heard() {
    let mut rig = answering();
    rig.closed(1);
    rig.ready(2);
    rig.play_out();
    let row = cut(&rig);
    assert_eq!((row.heard_ms, row.generated_ms), (9_000, 9_000), "what came is known, what was to come is not");
    assert!(row.text.len() > WORDS.len() / 2, "{row:?}");
    assert!(rig.facts().iter().any(|f| matches!(f, Fact::BrokenOff { by: BrokenBy::SessionLost, .. })));
}

#[test]
fn a_new_session_goes_on_where_the_caller_stopped_hearing_and_only_then() {
    let mut rig = answering();
    rig.closed(1);
    rig.take();
    rig.ready(2);
    rig.pass(2_000);
    assert_eq!((rig.asked(), assistant(&rig).len()), (0, 0), "what came of it still plays");
    rig.play_out();
    assert_eq!(rig.asked(), 1);
    let told = assistant(&rig);
    assert!(told.len() == 1 && WORDS.starts_with(&told[0]) && told[0].len() < WORDS.len(), "{told:?}");
    let note = note(&rig).expect("it is told to go on");
    let last = told[0].rsplit(' ').next().expect("a word");
    assert!(note.contains(&format!("{last}\" [cut]")) && note.contains("Go on from there"), "{note}");
}

#[test]
fn a_caller_who_speaks_into_what_is_left_of_a_broken_answer_is_answered_instead() {
    let mut rig = answering();
    rig.closed(1);
    rig.take();
    rig.ready(2);
    rig.pass(1_000);
    let marks = rig.marks();
    rig.echo(&marks[4]);
    rig.speech_started(2, "u2");
    rig.pass(500);
    rig.speech_stopped(2, "u2");
    rig.pass(500);
    assert_eq!(rig.asked(), 0, "the server answers them by itself");
    assert_eq!(assistant(&rig).len(), 1, "and knows how far it was heard");
    assert!(cut(&rig).heard_ms < 2_000);
}

#[test]
fn a_session_that_is_lost_while_its_replacement_is_ready_breaks_an_answer_off_in_the_same_way() {
    let policy = Policy { roll_after: Duration::from_secs(5), ..Policy::default() };
    let mut rig = Rig::with(policy, GreetedBy::Carrier);
    rig.ready(1);
    rig.start_media();
    rig.pass(5_000);
    rig.caller_turn(1, "u1");
    rig.ready(2);
    rig.response_created(1, "r1");
    rig.words(1, &key("r1", "a1"), WORDS);
    rig.audio(1, &key("r1", "a1"), 9_000);
    rig.closed(1);
    rig.play_out();
    cut(&rig);
    assert!(note(&rig).is_some());
}

#[test]
fn a_call_rebuilt_in_the_middle_of_an_answer_goes_on_from_what_was_heard() {
    let mut rig = answering();
    rig.pass(3_000);
    let marks = rig.marks();
    rig.echo(&marks[12]);
    let mut history = History::default();
    history.apply(&media_started(rig.start));
    rig.facts().into_iter().for_each(|fact| history.apply(fact));
    let call =
        Call::resume(rig.now, clock(), Arc::new(Policy::default()), Arc::new(setup(GreetedBy::Carrier)), history);
    let mut rig = Rig::of(call, rig.now);
    rig.ready(1);
    assert_eq!((rig.asked(), assistant(&rig).len()), (1, 1), "at once: nothing plays any more");
    assert!(note(&rig).is_some());
    rig.caller(CallerEvent::Gone);
    assert_eq!(cut(&rig).heard_ms, 2_600);
}

#[test]
fn an_answer_whose_response_fails_in_the_middle_is_cut_and_gone_on_with() {
    let mut rig = answering();
    rig.take();
    rig.response_done(1, "r1", ResponseStatus::Failed { code: "server_error".to_owned(), message: String::new() });
    rig.pass(1_000);
    assert_eq!(rig.asked(), 0, "what came of it still plays");
    rig.play_out();
    assert_eq!(rig.asked(), 1);
    assert!(note(&rig).is_some() && assistant(&rig).is_empty(), "this session knows what it said");
    cut(&rig);
}

#[test]
fn nobody_wonders_why_a_sentence_was_cut_by_a_limit_of_the_models() {
    for reason in ["content_filter", "max_output_tokens"] {
        let mut rig = answering();
        rig.take();
        rig.response_done(1, "r1", ResponseStatus::Incomplete { reason: reason.to_owned() });
        assert!(rig.facts().contains(&&Fact::ResponseIncomplete { reason: reason.to_owned() }));
        rig.play_out();
        cut(&rig);
        assert_eq!((rig.asked(), rig.ended()), (0, None), "the agent goes on with the conversation");
        rig.caller_turn(1, "u2");
        rig.response_created(1, "r2");
        rig.audio(1, &key("r2", "a2"), 400);
        assert!(rig.facts().iter().any(|f| matches!(f, Fact::Answered { .. })));
    }
}

#[test]
fn an_answer_that_a_filter_kept_back_whole_does_not_leave_the_caller_in_silence() {
    let mut rig = Rig::live();
    rig.caller_turn(1, "u1");
    for n in 0..3 {
        let response = format!("r{n}");
        rig.response_created(1, &response);
        rig.response_done(1, &response, ResponseStatus::Incomplete { reason: "content_filter".to_owned() });
        rig.pass(600);
    }
    let cause = "the response failed: content_filter".to_owned();
    assert_eq!(rig.ended(), Some(&Ended::ModelFailed { cause }), "the flow reaches a person");
}

#[test]
fn a_turn_stands_where_it_was_played() {
    let mut rig = Rig::live();
    rig.pass(1_000);
    rig.response_created(1, "r1");
    rig.audio(1, &key("r1", "a1"), 4_000);
    rig.server(1, ServerEvent::AudioDone(key("r1", "a1")));
    rig.audio(1, &key("r1", "a2"), 1_000);
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.play_out();
    let at: Vec<u64> = rig.rows().iter().map(|turn| turn.at_ms).collect();
    assert_eq!(at, [1_000, 5_000], "both were generated in the first second");
}

#[test]
fn a_model_that_was_between_two_parts_of_an_answer_is_asked_for_the_second() {
    let mut rig = Rig::live();
    rig.caller_turn(1, "u1");
    rig.response_created(1, "r1");
    rig.words(1, &key("r1", "a1"), "One moment, I will look.");
    rig.audio(1, &key("r1", "a1"), 1_500);
    rig.server(1, ServerEvent::AudioDone(key("r1", "a1")));
    rig.play_out();
    rig.closed(1);
    rig.take();
    rig.ready(2);
    rig.pass(100);
    assert_eq!(rig.asked(), 1, "the response had not ended");
}
