use super::*;
use crate::call::fact::{BrokenBy, ToolCall};
use crate::call::io::{ConnId, EffectId};
use crate::call::keypad::LONGEST_ENTRY;
use crate::ids::ResponseId;
use crate::realtime::command::NewItem;

fn item(id: &str) -> ItemId {
    ItemId::new(id)
}

fn history(facts: &[Fact]) -> History {
    let mut history = History::default();
    for fact in facts {
        history.apply(fact);
    }
    history
}

fn exchange() -> Vec<Fact> {
    vec![
        Fact::CallerSpoke { item: item("u1"), at_ms: 1000 },
        Fact::CallerStopped { item: item("u1"), at_ms: 2500 },
        Fact::AgentBegan { item: item("a1"), at_ms: 3000 },
        Fact::AgentText { item: item("a1"), delta: "We are open from nine ".to_owned() },
        Fact::AgentText { item: item("a1"), delta: "to five on weekdays".to_owned() },
        Fact::CallerText { item: item("u1"), text: "When are you open?".to_owned() },
    ]
}

fn called(id: u32) -> Fact {
    Fact::ToolCalled(ToolCall {
        id: EffectId(id),
        conn: ConnId(1),
        response: ResponseId::new("r1"),
        call_id: format!("c{id}"),
        name: "f".to_owned(),
        arguments: "{}".to_owned(),
        at_ms: 2_000,
        wait_ms: Some(15_000),
    })
}

fn returned(id: u32) -> Fact {
    Fact::ToolReturned { id: EffectId(id), call_id: format!("c{id}"), output: "ok".to_owned() }
}

#[test]
fn what_happened_between_the_turns_is_told_where_it_happened() {
    let mut facts = vec![Fact::KeysEntered { keys: "1".to_owned() }];
    facts.extend(exchange());
    facts.push(Fact::Heard { item: item("a1"), generated_ms: 4000, heard_ms: 4000, whole: true });
    facts.push(called(1));
    facts.push(Fact::CallerSpoke { item: item("u2"), at_ms: 9000 });
    facts.push(Fact::CallerStopped { item: item("u2"), at_ms: 9500 });
    facts.push(returned(1));
    facts.push(Fact::KeysEntered { keys: "42".to_owned() });
    let history = history(&facts);
    let user = |words: &str| NewItem::User(words.to_owned());
    let told = history.replay(20, usize::MAX);
    assert_eq!(told[..2], [user("The caller pressed 1 on the keypad."), user("When are you open?")]);
    assert!(matches!(told[3..5], [NewItem::FunctionCall { .. }, NewItem::FunctionOutput { .. }]), "beside each other");
    assert_eq!(told[5..], [user("[inaudible]"), user("The caller pressed 42 on the keypad.")]);
    assert_eq!((history.turn_of_call(EffectId(1)), history.effects()), (Some(1), 1));
}

#[test]
fn keys_and_results_that_nobody_answered_are_owed_an_answer() {
    let mut facts = vec![Fact::KeysEntered { keys: "1".to_owned() }];
    assert_eq!(history(&facts).owed(), Owed::Answer, "before anything was said");
    assert_eq!(history(&facts).replay(20, usize::MAX).len(), 1);
    facts.extend(exchange());
    facts.push(Fact::Heard { item: item("a1"), generated_ms: 4000, heard_ms: 4000, whole: true });
    assert_eq!(history(&facts).owed(), Owed::Nothing);
    facts.push(called(1));
    assert_eq!(history(&facts).owed(), Owed::Nothing, "it is still running");
    assert_eq!(history(&facts).running().len(), 1);
    facts.push(returned(1));
    assert_eq!(history(&facts).owed(), Owed::Answer);
    assert_eq!(history(&facts).running().len(), 0);
    facts.push(Fact::AgentBegan { item: item("a2"), at_ms: 8000 });
    facts.push(Fact::Heard { item: item("a2"), generated_ms: 100, heard_ms: 0, whole: false });
    assert_eq!(history(&facts).owed(), Owed::Nothing);
}

#[test]
fn a_transcript_of_the_agent_is_cut_where_the_caller_cut_it() {
    let mut facts = exchange();
    facts.push(Fact::Heard { item: item("a1"), generated_ms: 4000, heard_ms: 2000, whole: true });
    facts.push(Fact::Interrupted { item: item("a1"), heard_ms: 2000, unheard_ms: 2000, at_ms: 5000 });
    let turns: Vec<Turn> = history(&facts).turns().collect();
    assert_eq!(turns[0].text, "When are you open?");
    assert_eq!(turns[0].heard_ms, 1500);
    assert_eq!(turns[1].text, "We are open from");
    assert!(turns[1].interrupted);
}

#[test]
fn a_new_session_is_told_what_was_heard_and_nothing_more() {
    let mut facts = exchange();
    facts.push(Fact::Heard { item: item("a1"), generated_ms: 4000, heard_ms: 4000, whole: true });
    facts.push(Fact::CallerSpoke { item: item("u2"), at_ms: 9000 });
    facts.push(Fact::CallerStopped { item: item("u2"), at_ms: 9500 });
    let history = history(&facts);
    assert_eq!(
        history.replay(20, usize::MAX),
        [
            NewItem::User("When are you open?".to_owned()),
            NewItem::Assistant("We are open from nine to five on weekdays".to_owned()),
            NewItem::User("[inaudible]".to_owned()),
        ]
    );
    assert_eq!(history.owed(), Owed::Answer);
    assert_eq!(history.replay(1, usize::MAX).len(), 1);
}

#[test]
fn words_never_heard_are_not_replayed_and_the_rest_of_a_lost_answer_is_owed() {
    let mut facts = exchange();
    facts.push(Fact::Heard { item: item("a1"), generated_ms: 1000, heard_ms: 0, whole: false });
    assert_eq!(history(&facts).owed(), Owed::Nothing, "it is still being said");
    facts.push(Fact::BrokenOff { item: item("a1"), by: BrokenBy::SessionLost });
    let mut history = history(&facts);
    assert_eq!(history.replay(20, usize::MAX).len(), 1);
    assert_eq!(history.owed(), Owed::Rest);
    history.apply(&Fact::CallerSpoke { item: item("u2"), at_ms: 9000 });
    assert_eq!(history.owed(), Owed::Ear, "the caller goes on instead");
}

#[test]
fn a_tool_call_without_its_result_is_not_replayed() {
    let mut facts = exchange();
    facts.push(called(1));
    facts.push(returned(1));
    facts.push(called(2));
    let tools = history(&facts)
        .replay(20, usize::MAX)
        .into_iter()
        .filter(|i| !matches!(i, NewItem::User(_) | NewItem::Assistant(_)));
    assert_eq!(tools.count(), 2);
}

#[test]
fn multibyte_words_are_cut_between_characters() {
    let history = history(&[
        Fact::AgentBegan { item: item("a"), at_ms: 0 },
        Fact::AgentText { item: item("a"), delta: "नमस्ते आप कैसे हैं".to_owned() },
        Fact::Heard { item: item("a"), generated_ms: 1000, heard_ms: 600, whole: true },
    ]);
    assert_eq!(history.turns().next().map(|t| t.text), Some("नमस्ते आप".to_owned()));
}

#[test]
fn words_that_run_ahead_of_an_answer_that_broke_off_are_not_taken_for_heard() {
    // Nine seconds came and were heard, of ten and a half; the words were there to the end.
    let words = "We are open from nine to five on weekdays and from ten to two on Saturdays, and if you cannot come in those \
                 hours you can leave your number with us and somebody will call you back the same day.";
    let history = history(&[
        Fact::AgentBegan { item: item("a"), at_ms: 0 },
        Fact::AgentText { item: item("a"), delta: words.to_owned() },
        Fact::Heard { item: item("a"), generated_ms: 9000, heard_ms: 9000, whole: false },
        Fact::BrokenOff { item: item("a"), by: BrokenBy::SessionLost },
    ]);
    let turn = history.turns().next().expect("a turn");
    let share = turn.text.len() as f64 / words.len() as f64;
    assert!(words.starts_with(&turn.text) && (0.5..0.9).contains(&share), "{share}: {:?}", turn.text);
    assert!(turn.interrupted);
}

#[test]
fn a_model_that_never_stops_writing_fills_no_memory() {
    let mut history = history(&[Fact::AgentBegan { item: item("a"), at_ms: 0 }]);
    for _ in 0..10_000 {
        history.apply(&Fact::AgentText { item: item("a"), delta: "नमस्ते ".to_owned() });
        history.apply(&called(1));
        history.apply(&returned(1));
        history.apply(&Fact::KeysEntered { keys: "1".to_owned() });
    }
    for _ in 0..100 {
        history.apply(&Fact::Dtmf { digit: '1' });
    }
    assert_eq!(history.keys().len(), LONGEST_ENTRY);
    for turn in 0..10_000 {
        history.apply(&Fact::CallerSpoke { item: item(&format!("u{turn}")), at_ms: 0 });
    }
    assert_eq!(history.turns().count(), MAX_TURNS);
    assert!(
        history.entries[0].text.len() <= entries::MAX_WORDS && history.entries[0].asides.len() == asides::MAX_ASIDES
    );
}
