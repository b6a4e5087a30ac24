use super::*;

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

#[test]
fn a_transcript_of_the_agent_is_cut_where_the_caller_cut_it() {
    let mut facts = exchange();
    facts.push(Fact::Heard { item: item("a1"), generated_ms: 4000, heard_ms: 2000 });
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
    facts.push(Fact::Heard { item: item("a1"), generated_ms: 4000, heard_ms: 4000 });
    facts.push(Fact::CallerSpoke { item: item("u2"), at_ms: 9000 });
    facts.push(Fact::CallerStopped { item: item("u2"), at_ms: 9500 });
    let history = history(&facts);
    assert_eq!(
        history.replay(20),
        [
            NewItem::User("When are you open?".to_owned()),
            NewItem::Assistant("We are open from nine to five on weekdays".to_owned()),
            NewItem::User("[inaudible]".to_owned()),
        ]
    );
    assert_eq!(history.owed(), Owed::Answer);
    assert_eq!(history.replay(1).len(), 1);
}

#[test]
fn words_never_heard_are_not_replayed_and_the_rest_of_a_lost_answer_is_owed() {
    let mut facts = exchange();
    facts.push(Fact::Heard { item: item("a1"), generated_ms: 1000, heard_ms: 0 });
    let mut history = history(&facts);
    assert_eq!(history.replay(20).len(), 1);
    assert_eq!(history.owed(), Owed::Rest);
    history.settle(&item("a1"));
    assert_eq!(history.owed(), Owed::Nothing);
}

#[test]
fn a_tool_call_without_its_result_is_not_replayed() {
    let mut facts = exchange();
    let call = |id: &str| Fact::ToolCalled { call_id: id.to_owned(), name: "f".to_owned(), arguments: "{}".to_owned() };
    facts.push(call("c1"));
    facts.push(Fact::ToolReturned { call_id: "c1".to_owned(), output: "ok".to_owned() });
    facts.push(call("c2"));
    let tools =
        history(&facts).replay(20).into_iter().filter(|i| !matches!(i, NewItem::User(_) | NewItem::Assistant(_)));
    assert_eq!(tools.count(), 2);
}

#[test]
fn multibyte_words_are_cut_between_characters() {
    let history = history(&[
        Fact::AgentBegan { item: item("a"), at_ms: 0 },
        Fact::AgentText { item: item("a"), delta: "नमस्ते आप कैसे हैं".to_owned() },
        Fact::Heard { item: item("a"), generated_ms: 1000, heard_ms: 600 },
    ]);
    assert_eq!(history.turns().next().map(|t| t.text), Some("नमस्ते आप".to_owned()));
}
