use proptest::prelude::*;

use super::super::Owed;
use super::*;
use crate::call::io::{ConnId, EffectId};
use crate::ids::ResponseId;
use crate::realtime::command::NewItem;

fn item(id: &str) -> ItemId {
    ItemId::new(id)
}

fn called(id: u32, at_ms: u64) -> ToolCall {
    ToolCall {
        id: EffectId(id),
        conn: ConnId(1),
        response: ResponseId::new("r1"),
        call_id: format!("c{id}"),
        name: "hours".to_owned(),
        arguments: "{}".to_owned(),
        at_ms,
        wait_ms: Some(15_000),
    }
}

/// A caller who asked, an answer with a function in it that was heard out, keys, and a question that waits for its answer.
fn facts_of_a_call() -> Vec<Fact> {
    vec![
        Fact::ModelDialled { attempt: 2 },
        Fact::CallerSpoke { item: item("u1"), at_ms: 1_000 },
        Fact::CallerStopped { item: item("u1"), at_ms: 2_500 },
        Fact::CallerText { item: item("u1"), text: "When are you open?".to_owned() },
        Fact::ToolCalled(called(1, 2_800)),
        Fact::ToolReturned { id: EffectId(1), call_id: "c1".to_owned(), output: "nine to five".to_owned() },
        Fact::AgentBegan { item: item("a1"), at_ms: 3_000 },
        Fact::AgentText { item: item("a1"), delta: "From nine to five on weekdays".to_owned() },
        Fact::PlaybackBegan { item: item("a1"), at_ms: 3_100 },
        Fact::Answered { item: item("a1"), after_ms: 600 },
        Fact::Heard { item: item("a1"), generated_ms: 4_000, heard_ms: 2_000, whole: true },
        Fact::Interrupted { item: item("a1"), heard_ms: 2_000, unheard_ms: 2_000, at_ms: 5_100 },
        Fact::KeysEntered { keys: "42".to_owned() },
        Fact::CallerSpoke { item: item("u2"), at_ms: 6_000 },
        Fact::CallerStopped { item: item("u2"), at_ms: 6_500 },
        Fact::CallerText { item: item("u2"), text: "And today?".to_owned() },
    ]
}

/// What is on record of a call as its facts have it.
fn record(history: &History, steps: Vec<StoredStep>) -> StoredCall {
    let started = Some(SystemTime::UNIX_EPOCH);
    StoredCall { started, streams: 1, turns: history.turns().collect(), steps, dials: history.dials() }
}

#[test]
fn a_call_from_its_record_is_told_as_the_gateway_that_had_it_would_have() {
    let mut lived = History::default();
    facts_of_a_call().iter().for_each(|fact| lived.apply(fact));
    let steps = vec![
        StoredStep::Keys { keys: "42".to_owned(), at_ms: 5_500 },
        StoredStep::Tool { call: called(1, 2_800), result: Some("nine to five".to_owned()) },
    ];
    let stored = History::stored(record(&lived, steps));
    assert_eq!(stored.replay(20, usize::MAX), lived.replay(20, usize::MAX));
    assert_eq!(stored.owed(), lived.owed());
    assert_eq!((stored.effects(), stored.dials()), (lived.effects(), lived.dials()));
    assert_eq!(stored.unsettled(), [], "the record knows it all");
    let words =
        |history: &History| history.turns().map(|turn| (turn.text, turn.heard_ms, turn.answer_ms)).collect::<Vec<_>>();
    assert_eq!(words(&stored), words(&lived));
}

#[test]
fn an_answer_that_was_lost_with_its_gateway_is_owed() {
    let mut lived = History::default();
    facts_of_a_call().iter().for_each(|fact| lived.apply(fact));
    assert_eq!(History::stored(record(&lived, Vec::new())).owed(), Owed::Answer);
    // The agent's last words were cut, and no caller spoke into them.
    let mut turns: Vec<Turn> = lived.turns().collect();
    turns.truncate(2);
    let stored = History::stored(StoredCall { turns, streams: 1, ..StoredCall::default() });
    assert_eq!(stored.owed(), Owed::Rest);
}

#[test]
fn a_function_that_ran_when_its_gateway_was_lost_is_not_run_again_and_the_model_knows_that_its_result_is_lost() {
    let steps = vec![StoredStep::Tool { call: called(7, 100), result: None }];
    let stored = History::stored(StoredCall { steps, streams: 1, ..StoredCall::default() });
    assert_eq!((stored.running(), stored.effects()), (Vec::new(), 7));
    let told = stored.replay(20, usize::MAX);
    assert!(matches!(&told[..], [NewItem::FunctionCall { .. }, NewItem::FunctionOutput { output, .. }]
        if output.contains("lost")));
}

#[test]
fn a_turn_that_could_not_be_written_moves_no_other() {
    let turn = |index: u32, text: &str| Turn {
        index,
        who: Who::Caller,
        text: text.to_owned(),
        at_ms: u64::from(index) * 1_000,
        heard_ms: 500,
        generated_ms: 0,
        interrupted: false,
        answer_ms: None,
        latency: None,
        clip: false,
        backchannel: false,
    };
    let turns = vec![turn(3, "three"), turn(1, "one")];
    let stored = History::stored(StoredCall { turns, streams: 1, ..StoredCall::default() });
    let texts: Vec<String> = stored.turns().map(|turn| turn.text).collect();
    assert_eq!(texts, ["", "one", "", "three"]);
    let user = |words: &str| NewItem::User(words.to_owned());
    assert_eq!(stored.replay(20, usize::MAX), [user("one"), user("three")]);
    assert_eq!(stored.unsettled(), []);
}

fn any_turn() -> impl Strategy<Value = Turn> {
    let numbers = (prop_oneof![0_u32..40, any::<u32>()], any::<u64>(), any::<u64>(), any::<u64>());
    (numbers, any::<bool>(), any::<bool>(), ".{0,20}").prop_map(|(numbers, agent, interrupted, text)| {
        let (index, at_ms, heard_ms, generated_ms) = numbers;
        let who = if agent { Who::Agent } else { Who::Caller };
        Turn {
            index,
            who,
            text,
            at_ms,
            heard_ms,
            generated_ms,
            interrupted,
            answer_ms: None,
            latency: None,
            clip: false,
            backchannel: false,
        }
    })
}

fn any_step() -> impl Strategy<Value = StoredStep> {
    let tool = (any::<u32>(), any::<u64>(), any::<bool>(), proptest::option::of(".{0,9}"));
    prop_oneof![
        tool.prop_map(|(id, at_ms, runs, result)| {
            let call = ToolCall { wait_ms: runs.then_some(u64::MAX), ..called(id, at_ms) };
            StoredStep::Tool { call, result }
        }),
        (".{0,9}", any::<u64>()).prop_map(|(keys, at_ms)| StoredStep::Keys { keys, at_ms }),
    ]
}

proptest! {
    #[test]
    fn whatever_is_on_record_a_call_goes_on(
        turns in prop::collection::vec(any_turn(), 0..30),
        steps in prop::collection::vec(any_step(), 0..90),
        dials in any::<u32>(),
    ) {
        let (started, streams) = (Some(SystemTime::UNIX_EPOCH), 1);
        let mut history = History::stored(StoredCall { started, streams, turns, steps, dials });
        prop_assert_eq!(history.running(), Vec::new());
        prop_assert_eq!(history.unsettled(), Vec::<ItemId>::new());
        history.apply(&Fact::Resumed);
        prop_assert_eq!(history.unsettled(), Vec::<ItemId>::new(), "what is on record is not written again");
        let _ = (history.replay(20, usize::MAX), history.owed(), history.effects() + 1, history.turns().count());
    }
}
