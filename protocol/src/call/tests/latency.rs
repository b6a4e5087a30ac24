//! What a caller's wait went to, in virtual time.

use Part::{Connecting, Deciding, Endpointing, Generating, Playing, Sending, Starting};

use super::tools::with_tools;
use super::*;
use crate::call::clips::{Clip, Clips};
use crate::call::functions::CallContext;
use crate::call::latency::{Awaited, Latency, Owner, Part};
use crate::call::policy::{Confirmed, Interruptions, Silence, Then};

impl Rig {
    /// Those that were told.
    fn latencies(&self) -> Vec<Latency> {
        let told = self.facts().into_iter().filter_map(|fact| match fact {
            Fact::Latency(latency) => Some(latency.clone()),
            _ => None,
        });
        told.collect()
    }

    /// The only one.
    fn latency(&self) -> Latency {
        let told = self.latencies();
        assert_eq!(told.len(), 1, "{told:#?}");
        told[0].clone()
    }

    /// The caller spoke for a second, loudly, and stopped; the server says so 600 ms later.
    fn asks(&mut self) {
        self.speech_started(1, "u1");
        self.loud(1_000);
        self.pass(600);
        self.speech_stopped(1, "u1");
    }

    /// And is answered, after so many ms each.
    fn answers(&mut self, starting: u64, generating: u64) {
        self.pass(starting);
        self.response_created(1, "r1");
        self.pass(generating);
        self.audio(1, &key("r1", "a1"), 1_000);
    }

    /// The first message that is out is played at once, and the carrier says so that much later.
    fn echoes_after(&mut self, ms: u64) {
        let mark = self.marks()[0];
        self.pass(200 + ms);
        self.echo(&mark);
    }
}

fn spent(latency: &Latency) -> Vec<(Part, u64)> {
    latency.parts.iter().filter(|(_, ms)| *ms > 0).collect()
}

fn confirmed() -> Setup {
    let listening = Listening { interruptions: Interruptions::Confirmed(Confirmed::default()), ..Listening::default() };
    Setup { listening, ..with_tools() }
}

#[test]
fn an_answers_time_is_told_in_parts_from_the_callers_last_sound_to_the_moment_it_was_heard() {
    let mut rig = Rig::live();
    rig.asks();
    rig.answers(120, 240);
    rig.echoes_after(80);
    let told = rig.latency();
    assert_eq!(spent(&told), [(Endpointing, 600), (Starting, 120), (Generating, 240), (Playing, 80)]);
    assert_eq!((told.of, told.from_ms, told.until_ms(), told.heard), (Awaited::Turn, 1_000, 2_040, true));
    assert_eq!((told.carrier_echo_ms, told.asked, told.stalled), (Some(80), 0, false));
    rig.play_out();
    rig.response_done(1, "r1", ResponseStatus::Completed);
    let row = rig.rows().pop().expect("the answer");
    assert_eq!((row.latency.as_deref(), row.answer_ms), (Some(&told), Some(960)), "as of old: until it was sent");
    assert_eq!(rig.latencies().len(), 1, "once");
}

#[test]
fn where_no_mark_comes_back_the_whole_ends_when_it_was_sent_and_says_so() {
    let mut rig = Rig::live();
    rig.asks();
    rig.answers(100, 100);
    rig.pass(5_000);
    let told = rig.latency();
    assert_eq!((told.whole_ms(), told.parts.ms(Playing), told.heard), (800, 0, false));
    assert_eq!(told.carrier_echo_ms, None);
}

#[test]
fn a_later_mark_tells_when_the_first_message_was_heard() {
    let mut rig = Rig::live();
    rig.asks();
    rig.answers(100, 100);
    let second = rig.marks()[1];
    rig.pass(460);
    rig.echo(&second);
    assert_eq!((rig.latency().parts.ms(Playing), rig.latency().heard), (60, true));
}

#[test]
fn who_cuts_in_before_it_is_known_that_they_heard_it_ends_the_wait_where_it_was_sent() {
    let mut rig = Rig::live();
    rig.asks();
    rig.answers(100, 100);
    rig.pass(60);
    rig.speech_started(1, "u2");
    let told = rig.latency();
    assert_eq!((told.whole_ms(), told.heard), (800, false));
    let row = rig.rows().into_iter().rfind(|turn| turn.who == Who::Agent).expect("it was cut");
    assert_eq!(row.latency.as_deref(), Some(&told), "and its row has it");
}

#[test]
fn a_word_in_between_begins_the_wait_anew_as_it_does_the_answers_time() {
    let mut rig = Rig::live();
    rig.asks();
    rig.pass(3_000);
    rig.speech_started(1, "u2");
    rig.loud(400);
    rig.pass(600);
    rig.speech_stopped(1, "u2");
    rig.answers(100, 100);
    rig.echoes_after(0);
    assert_eq!(rig.latency().whole_ms(), 800);
    assert!(rig.facts().contains(&&Fact::Answered { item: ItemId::new("a1"), after_ms: 800 }));
}

#[test]
fn a_server_that_answers_before_it_says_that_the_caller_stopped_knew_it_then() {
    let mut rig = Rig::live();
    rig.speech_started(1, "u1");
    rig.loud(1_000);
    rig.pass(400);
    rig.response_created(1, "r1");
    rig.pass(100);
    rig.audio(1, &key("r1", "a1"), 1_000);
    rig.pass(100);
    rig.speech_stopped(1, "u1");
    rig.echoes_after(0);
    assert_eq!(spent(&rig.latency()), [(Endpointing, 400), (Deciding, 100), (Generating, 100)]);
}

#[test]
fn a_session_lost_in_the_middle_takes_its_time_as_connecting() {
    let mut rig = Rig::live();
    rig.asks();
    rig.pass(100);
    rig.response_created(1, "r1");
    rig.pass(200);
    rig.closed(1);
    rig.pass(300);
    rig.opened(2);
    rig.pass(200);
    rig.server(2, ServerEvent::SessionUpdated { input: None, output: None, expires_at: None });
    rig.pass(40);
    rig.response_created(2, "r2");
    rig.pass(60);
    rig.audio(2, &key("r2", "a2"), 400);
    rig.echoes_after(20);
    let told = rig.latency();
    let expected = [(Endpointing, 600), (Connecting, 500), (Starting, 140), (Generating, 260), (Playing, 20)];
    assert_eq!((spent(&told), told.asked), (expected.to_vec(), 1));
}

#[test]
fn a_caller_waits_for_the_greeting_since_their_stream_began() {
    let mut rig = Rig::new(GreetedBy::Model);
    rig.start_media();
    rig.pass(300);
    rig.ready(1);
    rig.pass(100);
    rig.response_created(1, "r1");
    rig.pass(200);
    rig.audio(1, &key("r1", "a1"), 600);
    rig.echoes_after(40);
    let told = rig.latency();
    assert_eq!(spent(&told), [(Connecting, 300), (Starting, 100), (Generating, 200), (Playing, 40)]);
    assert_eq!((told.of, told.from_ms, told.asked), (Awaited::Greeting, 0, 1));
}

#[test]
fn a_greeting_that_was_ready_before_takes_the_way_to_the_caller_and_no_more() {
    let mut rig = Rig::new(GreetedBy::Model);
    rig.ready(1);
    rig.wait(400);
    rig.response_created(1, "r1");
    rig.audio(1, &key("r1", "a1"), 600);
    rig.wait(900);
    rig.start_media();
    rig.echoes_after(60);
    assert_eq!((rig.latency().of, spent(&rig.latency())), (Awaited::Greeting, vec![(Playing, 60)]));
}

#[test]
fn a_client_that_is_slow_to_say_who_calls_owns_that_wait() {
    let mut rig =
        Rig::about(Policy::default(), Setup { context: Some(Duration::from_secs(2)), ..setup(GreetedBy::Model) });
    rig.start_media();
    rig.pass(100);
    rig.opened(1);
    rig.pass(1_200);
    let known = Ok(super::super::functions::Ran::Context(CallContext::default()));
    rig.input(Input::Ran { id: EffectId(1), result: known });
    rig.pass(100);
    rig.server(1, ServerEvent::SessionUpdated { input: None, output: None, expires_at: None });
    rig.response_created(1, "r1");
    rig.audio(1, &key("r1", "a1"), 600);
    rig.echoes_after(0);
    let told = rig.latency();
    assert_eq!(spent(&told), [(Part::Tool, 1_200), (Connecting, 200)]);
    assert_eq!((told.is_slow(), told.largest()), (true, Some((Part::Tool, Owner::Tool))));
}

#[test]
fn a_function_that_nothing_was_said_with_is_a_part_of_the_turn() {
    let mut rig = Rig::about(Policy::default(), with_tools());
    rig.ready(1);
    rig.start_media();
    rig.asks();
    rig.pass(100);
    rig.response_created(1, "r1");
    rig.pass(200);
    rig.calls(1, "r1", "c1", "look_up");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.pass(1_000);
    rig.ran(1, "on Monday");
    rig.pass(100);
    rig.response_created(1, "r2");
    rig.pass(100);
    rig.audio(1, &key("r2", "a2"), 400);
    rig.echoes_after(0);
    let told = rig.latency();
    assert_eq!((told.of, told.asked), (Awaited::Turn, 1));
    assert_eq!(spent(&told), [(Endpointing, 600), (Part::Tool, 1_000), (Starting, 200), (Generating, 300)]);
}

/// The caller asks, and the agent says so many ms with the call of a function.
fn preamble(ms: usize) -> Rig {
    let mut rig = Rig::about(Policy::default(), with_tools());
    rig.ready(1);
    rig.start_media();
    rig.asks();
    rig.response_created(1, "r1");
    rig.audio(1, &key("r1", "a1"), ms);
    rig.calls(1, "r1", "c1", "look_up");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig
}

#[test]
fn what_a_function_comes_to_is_waited_for_since_the_agent_stopped_speaking() {
    let mut rig = preamble(400);
    rig.plays_out(400);
    rig.pass(1_000);
    rig.ran(1, "on Monday");
    rig.pass(100);
    rig.response_created(1, "r2");
    rig.pass(100);
    rig.audio(1, &key("r2", "a2"), 400);
    rig.plays_out(400);
    let told = rig.latencies();
    assert_eq!(
        told.iter().map(|it| (it.of, it.item.as_str())).collect::<Vec<_>>(),
        [(Awaited::Turn, "a1"), (Awaited::Tool, "a2")]
    );
    assert_eq!(spent(&told[1]), [(Part::Tool, 1_000), (Starting, 100), (Generating, 100)]);
    assert_eq!(told[1].from_ms, told[0].until_ms() + 400, "when the agent was done");
}

#[test]
fn an_answer_that_follows_without_a_pause_was_not_waited_for() {
    let mut rig = preamble(2_000);
    rig.plays_out(200);
    rig.ran(1, "on Monday");
    rig.response_created(1, "r2");
    rig.audio(1, &key("r2", "a2"), 400);
    rig.plays_out(2_400);
    let told = rig.latencies();
    assert_eq!((told.len(), told[1].of, told[1].parts.ms(Part::Tool)), (2, Awaited::Tool, 0));
    assert!(told[1].whole_ms() <= 20, "{:?}", told[1]);
}

#[test]
fn a_sentence_that_fills_the_wait_ends_the_turns_and_not_the_functions() {
    let words = "One moment, please.";
    let clip = Clip::new(words, vec![1; 400 * 48]).expect("it is short enough");
    let (hold_words, clips) = (vec![words.to_owned()], Arc::new(Clips::new([clip])));
    let mut rig = Rig::about(Policy::default(), Setup { hold_words, clips, ..with_tools() });
    rig.ready(1);
    rig.start_media();
    rig.asks();
    rig.response_created(1, "r1");
    rig.calls(1, "r1", "c1", "look_up");
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.plays_out(4_000);
    rig.ran(1, "on Monday");
    rig.response_created(1, "r2");
    rig.audio(1, &key("r2", "a2"), 400);
    rig.plays_out(400);
    let told = rig.latencies();
    assert_eq!((told.len(), told[0].of, told[1].of), (2, Awaited::Turn, Awaited::Tool));
    assert_eq!(spent(&told[0]), [(Endpointing, 600), (Part::Tool, 1_800)]);
    assert_eq!(spent(&told[1]), [(Part::Tool, 4_000)], "since it was called");
}

#[test]
fn a_nudge_is_waited_for_since_it_was_decided() {
    let silence = Silence { after: Duration::from_secs(10), words: Vec::new(), nudges: 2, then: Then::HangUp };
    let mut rig = Rig::with(Policy { silence: Some(silence), ..Policy::default() }, GreetedBy::Carrier);
    rig.ready(1);
    rig.start_media();
    rig.pass(10_020);
    rig.pass(200);
    rig.response_created(1, "r1");
    rig.pass(300);
    rig.audio(1, &key("r1", "a1"), 400);
    rig.echoes_after(0);
    let told = rig.latency();
    assert_eq!((told.of, told.asked), (Awaited::Nudge, 1));
    assert!(told.whole_ms() <= 540 && told.parts.ms(Generating) == 300, "{told:?}");
}

#[test]
fn keys_are_answered_since_the_last_of_them_was_pressed() {
    let mut rig = Rig::live();
    rig.caller(CallerEvent::Dtmf('5'));
    rig.pass(1_500);
    rig.pass(100);
    rig.response_created(1, "r1");
    rig.audio(1, &key("r1", "a1"), 400);
    rig.echoes_after(0);
    assert_eq!(spent(&rig.latency()), [(Deciding, 1_500), (Starting, 100)]);
}

#[test]
fn where_the_gateway_asks_the_time_until_it_does_is_its_own() {
    let mut rig = Rig::about(Policy::default(), confirmed());
    rig.ready(1);
    rig.start_media();
    rig.asks();
    rig.pass(200);
    rig.server(1, ServerEvent::Committed { item: ItemId::new("u1") });
    rig.answers(100, 100);
    rig.echoes_after(0);
    let told = rig.latency();
    assert_eq!(spent(&told), [(Endpointing, 600), (Deciding, 200), (Starting, 100), (Generating, 100)]);
    assert_eq!((told.asked, told.settings.confirmed), (1, true));
}

#[test]
fn a_cough_while_the_answer_is_on_its_way_takes_nothing_from_the_wait() {
    let mut rig = Rig::about(Policy::default(), confirmed());
    rig.ready(1);
    rig.start_media();
    rig.asks();
    rig.server(1, ServerEvent::Committed { item: ItemId::new("u1") });
    rig.pass(100);
    rig.response_created(1, "r1");
    rig.speech_started(1, "u2");
    rig.loud(100);
    rig.pass(500);
    rig.server(1, ServerEvent::SpeechStopped { item: ItemId::new("u2"), audio_end_ms: 700 });
    rig.server(1, ServerEvent::Committed { item: ItemId::new("u2") });
    rig.transcript(1, "u2", "");
    rig.audio(1, &key("r1", "a1"), 400);
    rig.echoes_after(0);
    let told = rig.latency();
    assert_eq!((told.whole_ms(), told.parts.ms(Endpointing)), (1_300, 600));
}

#[test]
fn a_socket_that_does_not_take_the_answer_is_the_carriers() {
    let mut rig = Rig::live();
    rig.socket.frozen = true;
    rig.asks();
    rig.answers(100, 100);
    rig.wait(2_500);
    rig.socket.frozen = false;
    rig.drain();
    rig.speech_started(1, "u2");
    let told = rig.latency();
    assert_eq!((told.parts.ms(Sending), told.stalled), (2_500, true));
    assert_eq!(told.largest(), Some((Sending, Owner::Carrier)));
}

#[test]
fn a_process_that_stood_still_is_not_the_carriers_fault() {
    let mut rig = Rig::live();
    rig.socket.frozen = true;
    rig.asks();
    rig.answers(100, 100);
    // Nothing of ours runs for so long, and then all at once.
    rig.now += Duration::from_millis(2_500);
    rig.socket.frozen = false;
    rig.drain();
    rig.speech_started(1, "u2");
    let told = rig.latency();
    assert_eq!((told.parts.ms(Sending), told.stalled), (2_500, false));
    assert_eq!(told.largest(), Some((Sending, Owner::Us)));
}

#[test]
fn the_shortest_of_the_last_pings_says_how_long_the_way_is_and_another_session_begins_anew() {
    let mut rig = Rig::live();
    for ms in [70, 900, 300, 310] {
        rig.input(Input::Model(ConnId(1), ModelEvent::RoundTrip { ms }));
    }
    rig.input(Input::Model(ConnId(9), ModelEvent::RoundTrip { ms: 1 }));
    rig.asks();
    rig.answers(100, 100);
    rig.echoes_after(0);
    assert_eq!(rig.latency().network_ms, Some(300));
    rig.play_out();
    rig.response_done(1, "r1", ResponseStatus::Completed);
    rig.closed(1);
    rig.ready(2);
    rig.take();
    rig.caller_turn(2, "u2");
    rig.response_created(2, "r2");
    rig.audio(2, &key("r2", "a2"), 400);
    rig.echoes_after(0);
    assert_eq!(rig.latency().network_ms, None);
}

#[test]
fn a_response_that_fails_and_is_asked_for_again_is_all_one_wait() {
    let mut rig = Rig::live();
    rig.asks();
    rig.pass(100);
    rig.response_created(1, "r0");
    rig.response_done(1, "r0", ResponseStatus::Failed { code: "server_error".to_owned(), message: String::new() });
    rig.pass(500);
    rig.answers(100, 100);
    rig.echoes_after(0);
    let told = rig.latency();
    assert_eq!((told.whole_ms(), told.asked), (1_400, 1));
    assert_eq!(spent(&told), [(Endpointing, 600), (Starting, 200), (Generating, 600)]);
}

#[test]
fn a_response_with_nothing_in_it_ends_the_wait_and_begins_no_other() {
    let mut rig = Rig::live();
    rig.asks();
    rig.response_created(1, "r0");
    rig.response_done(1, "r0", ResponseStatus::Completed);
    rig.pass(5_000);
    rig.response_created(1, "r1");
    rig.audio(1, &key("r1", "a1"), 400);
    rig.echoes_after(0);
    assert_eq!(rig.latencies(), []);
}

#[test]
fn a_call_that_is_rebuilt_while_its_caller_waits_owns_what_that_took() {
    let mut rig = Rig::live();
    rig.asks();
    rig.transcript(1, "u1", "When are you open?");
    rig.pass(400);
    let mut rig = rig.rebuilt(setup(GreetedBy::Carrier));
    rig.pass(100);
    rig.ready(2);
    rig.pass(100);
    rig.response_created(2, "r2");
    rig.audio(2, &key("r2", "a2"), 400);
    rig.echoes_after(0);
    let told = rig.latency();
    assert_eq!(spent(&told), [(Deciding, 1_000), (Connecting, 100), (Starting, 100)]);
    assert_eq!((told.of, told.from_ms), (Awaited::Turn, 1_000));
}

#[test]
fn a_caller_who_hangs_up_leaves_what_was_sent_and_nothing_else() {
    let mut rig = Rig::live();
    rig.asks();
    rig.answers(100, 100);
    rig.caller(CallerEvent::Stopped(None));
    assert_eq!((rig.latency().heard, rig.latency().whole_ms()), (false, 800));
    assert!(rig.rows().iter().any(|turn| turn.latency.is_some()), "on record");
    let mut rig = Rig::live();
    rig.asks();
    rig.caller(CallerEvent::Stopped(None));
    assert_eq!(rig.latencies(), []);
}
