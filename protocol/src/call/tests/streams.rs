//! A call that comes back: one stream after another, one conversation.

use super::super::history::StoredCall;
use super::super::recording::AudioSegment;
use super::*;
use crate::realtime::command::NewItem;

/// What is on record of a call as its facts have it, and not as it has it itself.
fn recorded(said: &[Output], history: &mut History) {
    for output in said {
        if let Output::Record(fact) = output {
            history.apply(fact);
        }
    }
}

/// Comes back `after_ms` later, from its facts alone.
fn comes_back(mut rig: Rig, mut history: History, after_ms: u64, policy: Policy) -> Rig {
    recorded(&rig.take(), &mut history);
    rig.now += Duration::from_millis(after_ms);
    let call = Call::resume(rig.now, clock(), Arc::new(policy), Arc::new(setup(GreetedBy::Carrier)), history);
    Rig { start: rig.start, ..Rig::of(call, rig.now) }
}

/// A call in which the caller asked and the agent was heard for 600 ms of an answer of 1 s, before the line broke.
fn broken_off(policy: &Policy) -> Rig {
    let mut rig = Rig::with(policy.clone(), GreetedBy::Carrier);
    rig.ready(1);
    rig.start_media();
    rig.caller_turn(1, "u1");
    rig.server(1, ServerEvent::InputTranscript { item: ItemId::new("u1"), text: "When are you open?".to_owned() });
    rig.response_created(1, "r1");
    let delta = "We are open from nine to five every day of the week".to_owned();
    rig.server(1, ServerEvent::TranscriptDelta { key: key("r1", "a1"), delta });
    rig.audio(1, &key("r1", "a1"), 1000);
    rig.pass(700);
    rig.marks().iter().take(3).for_each(|mark| rig.echo(mark));
    rig.caller(CallerEvent::Gone);
    assert!(rig.ended().is_some_and(Ended::is_provisional));
    rig
}

fn second_stream(rig: &mut Rig, rate: SampleRate) {
    rig.caller(CallerEvent::Started { stream: StreamSid::new("s2"), rate });
}

#[test]
fn a_caller_who_comes_back_is_not_greeted_anew_and_the_agent_goes_on() {
    let policy = Policy::default();
    let mut rig = comes_back(broken_off(&policy), History::default(), 5_000, policy);
    assert_eq!(rig.dialled(), [2], "while the stream is still on its way");
    rig.ready(2);
    let sent = rig.sent();
    assert!(sent.contains(&&ClientEvent::CreateItem(NewItem::User("When are you open?".to_owned()))), "{sent:?}");
    let said = sent.iter().find_map(|event| match event {
        ClientEvent::CreateItem(NewItem::Assistant(words)) if words.starts_with("We are") => Some(words),
        _ => None,
    });
    assert!(said.is_some_and(|words| !words.contains("week")), "what was heard: {sent:?}");
    assert!(
        sent.iter()
            .any(|event| matches!(event, ClientEvent::CreateItem(NewItem::System(told)) if told.contains("back"))),
        "{sent:?}"
    );
    assert!(matches!(sent.last(), Some(ClientEvent::CreateResponse { .. })), "somebody speaks: {sent:?}");
    rig.response_created(2, "r2");
    rig.audio(2, &key("r2", "a2"), 400);
    assert_eq!(rig.media_ms(), 0, "nobody is there yet");
    second_stream(&mut rig, SampleRate::Hz8000);
    assert_eq!(rig.media_ms(), 400);
    // In a quiet line the next session is not asked to speak again.
    rig.take();
    rig.pass(500);
    assert!(!rig.sent().iter().any(|event| matches!(event, ClientEvent::CreateResponse { .. })));
}

#[test]
fn the_streams_of_a_call_have_one_clock() {
    let policy = Policy { record: true, ..Policy::default() };
    let mut rig = comes_back(broken_off(&policy), History::default(), 5_000, policy);
    rig.ready(2);
    second_stream(&mut rig, SampleRate::Hz8000);
    let since = rig.now - rig.start;
    rig.speech_started(2, "u2");
    let spoke = rig.facts().into_iter().find_map(|fact| match fact {
        Fact::CallerSpoke { at_ms, .. } => Some(*at_ms),
        _ => None,
    });
    assert_eq!(spoke, Some(since.as_millis() as u64), "counted from the first stream");
    // The carrier's own clock began anew; the recording's did not.
    rig.now += Duration::from_millis(20);
    rig.caller(CallerEvent::Audio { pcm: pcm(20), level_dbfs: -20.0, sent_ms: Some(0) });
    let taped = rig.said.iter().find_map(|output| match output {
        Output::Heard(AudioSegment::Caller { at, .. }) => Some(*at),
        _ => None,
    });
    assert_eq!(taped, Some(since.as_millis() as u64 * 8));
    let indices: Vec<u32> = rig.call.history().turns().map(|turn| turn.index).collect();
    assert_eq!(indices, [0, 1, 2], "and one transcript");
}

#[test]
fn a_call_rebuilt_after_a_fault_in_its_second_stream_stays_in_it() {
    let policy = Policy { record: true, ..Policy::default() };
    let mut history = History::default();
    let mut rig = broken_off(&policy);
    recorded(&rig.take(), &mut history);
    let mut rig = comes_back(rig, history.clone(), 5_000, policy.clone());
    rig.ready(2);
    second_stream(&mut rig, SampleRate::Hz8000);
    let since = rig.now - rig.start;
    recorded(&rig.take(), &mut history);
    let call = Call::resume(rig.now, clock(), Arc::new(policy), Arc::new(setup(GreetedBy::Carrier)), history);
    let mut rig = Rig { start: rig.start, ..Rig::of(call, rig.now) };
    rig.now += Duration::from_millis(1_000);
    rig.caller(CallerEvent::Audio { pcm: pcm(20), level_dbfs: -20.0, sent_ms: Some(980) });
    let taped = rig.said.iter().find_map(|output| match output {
        Output::Heard(AudioSegment::Caller { at, .. }) => Some(*at),
        _ => None,
    });
    assert_eq!(taped, Some((since.as_millis() as u64 + 980) * 8), "the carrier's count is that of this stream");
}

#[test]
fn the_longest_call_is_counted_over_all_its_streams() {
    let policy = Policy { max_call: Duration::from_secs(30), ..Policy::default() };
    let mut rig = comes_back(broken_off(&policy), History::default(), 20_000, policy);
    rig.ready(2);
    second_stream(&mut rig, SampleRate::Hz8000);
    rig.pass(9_000);
    assert_eq!(rig.ended(), None);
    rig.pass(1_000);
    assert_eq!(rig.ended(), Some(&Ended::TooLong));
}

#[test]
fn a_further_stream_may_have_another_rate() {
    let policy = Policy::default();
    let mut rig = comes_back(broken_off(&policy), History::default(), 1_000, policy);
    rig.ready(2);
    second_stream(&mut rig, SampleRate::Hz16000);
    assert!(rig.said.contains(&Output::Model(ConnId(2), ModelCommand::CarrierRate(SampleRate::Hz16000))));
}

#[test]
fn a_call_that_is_expected_back_and_does_not_come_ends_again() {
    let policy = Policy::default();
    let mut rig = comes_back(broken_off(&policy), History::default(), 1_000, policy.clone());
    rig.ready(2);
    rig.response_created(2, "r2");
    rig.audio(2, &key("r2", "a2"), 400);
    rig.response_done(2, "r2", ResponseStatus::Completed);
    rig.wait(policy.media_wait.as_millis() as u64);
    assert_eq!(rig.ended(), Some(&Ended::NoMedia));
}

#[test]
fn a_caller_who_was_never_greeted_is_greeted_when_they_come_back() {
    let mut rig = Rig::new(GreetedBy::Model);
    rig.ready(1);
    rig.start_media();
    rig.caller(CallerEvent::Gone);
    let mut history = History::default();
    recorded(&rig.take(), &mut history);
    let call = Call::resume(rig.now, clock(), Arc::new(Policy::default()), Arc::new(setup(GreetedBy::Model)), history);
    let mut rig = Rig::of(call, rig.now);
    rig.ready(2);
    assert!(rig.sent().iter().any(
        |event| matches!(event, ClientEvent::CreateResponse { instructions: Some(told), .. } if told.contains("Welcome"))
    ));
}

#[test]
fn what_is_kept_of_a_long_call_is_what_a_session_is_told() {
    let mut history = History::default();
    for n in 0..200 {
        let item = ItemId::new(format!("i{n}"));
        history.apply(&Fact::CallerSpoke { item: item.clone(), at_ms: n });
        history.apply(&Fact::CallerText { item, text: "word ".repeat(200) });
        let turn = history.turns().last().unwrap();
        history.apply(&Fact::Turn(turn));
    }
    let (before, told) = (history.weight(), history.replay(20, usize::MAX));
    history.forget_words(20);
    assert_eq!(history.replay(20, usize::MAX), told);
    assert_eq!(history.turns().count(), 200, "the next turn has the next number");
    assert!(history.weight() * 4 < before, "{} of {before}", history.weight());
}

/// A call whose gateway died, and that comes back to another, from what is on record of it: an answer was owed.
fn from_the_record(policy: Policy, greeted_by: GreetedBy, dial_status: Option<&str>) -> Rig {
    let (now, at_ms) = (clock().now + Duration::from_secs(30), 1_000);
    let caller = |index| Turn {
        index,
        who: Who::Caller,
        text: "When are you open?".to_owned(),
        at_ms,
        heard_ms: 900,
        generated_ms: 0,
        interrupted: false,
        answer_ms: None,
        latency: None,
        clip: false,
        backchannel: false,
    };
    let stored = StoredCall {
        started: Some(clock().wall),
        streams: 1,
        turns: vec![caller(0)],
        dials: 1,
        ..StoredCall::default()
    };
    let mut history = History::stored(stored);
    if let Some(status) = dial_status {
        history.came_back_from_transfer(status);
    }
    let call = Call::resume(now, clock(), Arc::new(policy), Arc::new(setup(greeted_by)), history);
    Rig { start: clock().now, ..Rig::of(call, now) }
}

/// What the model was told before it was asked, and how often it was asked.
fn told_and_asked(rig: &Rig) -> (Vec<String>, usize) {
    let sent = rig.sent();
    let told = sent.iter().filter_map(|event| match event {
        ClientEvent::CreateItem(NewItem::System(told)) => Some(told.clone()),
        _ => None,
    });
    (told.collect(), sent.iter().filter(|event| matches!(event, ClientEvent::CreateResponse { .. })).count())
}

#[test]
fn a_call_whose_gateway_died_goes_on_with_an_apology_and_the_answer_that_was_owed() {
    for greeted_by in [GreetedBy::Carrier, GreetedBy::Model] {
        let mut rig = from_the_record(Policy::default(), greeted_by, None);
        assert_eq!(rig.dialled(), [2], "at once");
        // The model is there only after the stream is.
        second_stream(&mut rig, SampleRate::Hz8000);
        rig.ready(2);
        assert!(rig.sent().contains(&&ClientEvent::CreateItem(NewItem::User("When are you open?".to_owned()))));
        let (told, asked) = told_and_asked(&rig);
        assert!(matches!(&told[..], [told] if told.contains("Apologise in one short sentence")), "{told:?}");
        assert_eq!(asked, 1, "the apology and the answer are one");
        rig.response_created(2, "r2");
        rig.audio(2, &key("r2", "a2"), 400);
        assert_eq!(rig.media_ms(), 400, "it is heard at once");
    }
}

#[test]
fn the_longest_call_counts_from_its_first_stream_at_another_gateway_too() {
    // Half a minute of it was over when it came here.
    let policy = Policy { max_call: Duration::from_secs(35), ..Policy::default() };
    let mut rig = from_the_record(policy, GreetedBy::Carrier, None);
    second_stream(&mut rig, SampleRate::Hz8000);
    rig.ready(2);
    rig.pass(4_900);
    assert_eq!(rig.ended(), None);
    rig.pass(100);
    assert_eq!(rig.ended(), Some(&Ended::TooLong));
}

#[test]
fn a_caller_back_from_a_transfer_that_nobody_answered_is_told_so() {
    let mut rig = from_the_record(Policy::default(), GreetedBy::Carrier, Some("no-answer"));
    second_stream(&mut rig, SampleRate::Hz8000);
    rig.ready(2);
    let (told, asked) = told_and_asked(&rig);
    assert!(matches!(&told[..], [told] if told.contains("nobody answered")), "{told:?}");
    assert_eq!(asked, 1);
    // The next time it is the line that broke off.
    rig.caller(CallerEvent::Gone);
    let mut rig = comes_back(rig, History::default(), 1_000, Policy::default());
    rig.ready(3);
    assert!(!told_and_asked(&rig).0.iter().any(|told| told.contains("nobody answered")));
}
