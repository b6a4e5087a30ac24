//! A call whose history was written down by one process and is read by another.

use super::super::recording::AudioSegment;
use super::*;

/// Another process, whose monotonic clock counts from elsewhere. Both see the same wall clock.
fn elsewhere() -> Clock {
    let apart = Duration::from_secs(9 * 86_400);
    Clock { now: clock().now + apart, wall: clock().wall }
}

fn apart() -> Duration {
    elsewhere().now - clock().now
}

/// What is on record of a call that had a stream of 10 s, in which the caller said something after 2 s.
fn written_down(policy: &Policy) -> History {
    let mut rig = Rig::with(policy.clone(), GreetedBy::Carrier);
    rig.ready(1);
    rig.now += Duration::from_secs(10);
    rig.start_media();
    rig.pass(2_000);
    rig.caller_turn(1, "u1");
    rig.transcript(1, "u1", "When are you open?");
    rig.response_created(1, "r1");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.pass(8_000);
    rig.caller(CallerEvent::Gone);
    assert!(rig.ended().is_some());
    let mut history = History::default();
    rig.facts().into_iter().for_each(|fact| history.apply(fact));
    history
}

/// The call comes to the other process that long after its process began to count.
fn read_by_another(policy: &Policy, after: Duration) -> Rig {
    let (clock, history) = (elsewhere(), written_down(policy));
    let now = clock.now + after;
    let call = Call::resume(now, clock, Arc::new(policy.clone()), Arc::new(setup(GreetedBy::Carrier)), history);
    let mut rig = Rig::of(call, now);
    rig.ready(2);
    rig.caller(CallerEvent::Started { stream: StreamSid::new("s2"), rate: SampleRate::Hz8000 });
    rig.response_created(2, "r2");
    rig.response_done(2, "r2", ResponseStatus::Completed);
    rig
}

#[test]
fn times_of_a_history_that_another_process_wrote_go_on_where_they_were() {
    let policy = Policy { record: true, ..Policy::default() };
    let mut rig = read_by_another(&policy, Duration::from_secs(30));
    let began = rig.facts().into_iter().find_map(|fact| match fact {
        Fact::MediaStarted { at_ms, wall, .. } => Some((*at_ms, *wall)),
        _ => None,
    });
    assert_eq!(began, Some((20_000, clock().wall + Duration::from_secs(30))), "the first stream began 10 s in");
    rig.pass(1_000);
    rig.speech_started(2, "u2");
    let times: Vec<u64> = rig.call.history().turns().map(|turn| turn.at_ms).collect();
    assert_eq!(times, [2_000, 21_000]);
    rig.take();
    rig.now += Duration::from_millis(20);
    rig.caller(CallerEvent::Audio { pcm: pcm(20), level_dbfs: -20.0, sent_ms: Some(1_000) });
    let taped = rig.said.iter().find_map(|output| match output {
        Output::Heard(AudioSegment::Caller { at, .. }) => Some(*at),
        _ => None,
    });
    assert_eq!(taped, Some(21_000 * 8), "the recording has one clock, over both");
}

#[test]
fn the_longest_call_is_counted_over_the_streams_of_both_processes() {
    let policy = Policy { max_call: Duration::from_secs(30), ..Policy::default() };
    let mut rig = read_by_another(&policy, Duration::from_secs(30));
    rig.pass(9_900);
    assert_eq!(rig.ended(), None);
    rig.pass(100);
    assert_eq!(rig.ended(), Some(&Ended::TooLong));
}

#[test]
fn a_history_from_the_future_makes_no_call_longer_than_the_longest() {
    // The wall clocks of two machines are a little apart, or one of them was set back.
    let policy = Policy { max_call: Duration::from_secs(30), ..Policy::default() };
    let mut rig = read_by_another(&policy, Duration::from_secs(5));
    rig.pass(29_900);
    assert_eq!(rig.ended(), None);
    rig.pass(100);
    assert_eq!(rig.ended(), Some(&Ended::TooLong));
    assert!(rig.now.duration_since(clock().now + apart()) < Duration::from_secs(60));
}

#[test]
fn neither_facts_nor_their_fold_hold_anything_that_only_one_process_understands() {
    let (facts, history) = (include_str!("../fact.rs"), include_str!("../history.rs"));
    for source in [facts, history, include_str!("../history/asides.rs"), include_str!("../history/replay.rs")] {
        assert!(!source.contains("Instant"), "a monotonic clock counts from wherever it likes");
    }
}
