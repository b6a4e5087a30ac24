//! When a session is replaced.

use super::*;

const MINUTE: u64 = 60_000;

/// Unix seconds, so long after the clock of the tests began.
fn unix(secs: i64) -> i64 {
    let began = clock().wall.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    i64::try_from(began).expect("a time") + secs
}

fn created(rig: &mut Rig, conn: u32, expires_at: i64) {
    rig.server(conn, ServerEvent::SessionCreated { expires_at: Some(expires_at) });
}

/// Without a limit of its own, on a line that carries nothing.
fn long_call() -> Rig {
    let hours = Duration::from_secs(7 * 3_600);
    Rig::with(Policy { max_call: hours, media_silence: hours, ..Policy::default() }, GreetedBy::Carrier)
}

/// In which minute of the call its session's replacement is dialled.
fn replaced_in_minute(rig: &mut Rig) -> u64 {
    rig.take();
    (1..)
        .find(|_| {
            rig.wait(MINUTE);
            !rig.dialled().is_empty()
        })
        .expect("a minute")
}

#[test]
fn a_session_is_replaced_five_minutes_before_the_end_that_its_server_tells() {
    for (life, minute) in [(3_600, 55), (1_800, 25), (7_200, 115), (16 * 60, 12)] {
        let mut rig = long_call();
        rig.opened(1);
        created(&mut rig, 1, unix(life));
        rig.ready(1);
        rig.start_media();
        assert_eq!(replaced_in_minute(&mut rig), minute, "a life of {life} s");
        rig.opened(2);
        created(&mut rig, 2, unix(life + i64::try_from(minute).expect("small") * 60));
        rig.ready(2);
        rig.pass(1_000);
        assert!(rig.said.contains(&Output::Model(ConnId(1), ModelCommand::Close)), "it is quiet: it takes over");
        assert_eq!(replaced_in_minute(&mut rig), minute, "and is replaced in its turn");
        assert_eq!(rig.counted("expiry_ignored"), 0);
    }
}

#[test]
fn the_end_may_be_told_with_the_configuration_and_again() {
    let mut rig = long_call();
    rig.opened(1);
    let told = || ServerEvent::SessionUpdated { input: None, output: None, expires_at: Some(unix(1_800)) };
    rig.server(1, told());
    rig.start_media();
    rig.wait(24 * MINUTE);
    rig.server(1, told());
    assert_eq!(replaced_in_minute(&mut rig), 1);
}

#[test]
fn an_end_that_cannot_be_is_ignored_and_counted() {
    let years = 5 * 365 * 86_400;
    for nonsense in [unix(0), unix(-3_600), unix(30), unix(years), unix(0) * 1_000, 0, 1, i64::MAX, i64::MIN] {
        let mut rig = long_call();
        rig.opened(1);
        created(&mut rig, 1, nonsense);
        rig.ready(1);
        rig.start_media();
        assert_eq!(replaced_in_minute(&mut rig), 50, "{nonsense}");
        rig.caller(CallerEvent::Gone);
        assert_eq!(rig.counted("expiry_ignored"), 1, "{nonsense}");
    }
}

#[test]
fn a_session_that_ends_before_a_quiet_moment_came_is_followed_by_the_one_that_waits() {
    let mut rig = long_call();
    rig.opened(1);
    created(&mut rig, 1, unix(3_600));
    rig.ready(1);
    rig.start_media();
    rig.wait(54 * MINUTE);
    // An answer without an end: the caller listens, and no moment is quiet.
    rig.response_created(1, "r1");
    for _ in 0..6 {
        rig.audio(1, &key("r1", "a1"), 62_000);
        rig.pass(MINUTE);
        if rig.dialled().last() == Some(&2) && rig.call.session.ready() == Some(ConnId(1)) {
            rig.ready(2);
        }
    }
    rig.take();
    rig.error(1, "session_expired");
    assert_eq!((rig.dialled().len(), rig.ended()), (0, None), "it is there already");
    assert!(rig.sent().iter().any(|event| matches!(event, ClientEvent::CreateItem(_))), "and told the conversation");
    rig.pass(20);
    assert_eq!(rig.appended_ms(), 20);
}

#[test]
fn words_that_are_not_kept_are_counted_once_whatever_happens_to_the_call_later() {
    let mut rig = Rig::live();
    rig.response_created(1, "r1");
    (0..3).for_each(|_| rig.words(1, &key("r1", "a1"), &"word ".repeat(2_000)));
    let mut history = History::default();
    rig.facts().into_iter().for_each(|fact| history.apply(fact));
    let call =
        Call::resume(rig.now, clock(), Arc::new(Policy::default()), Arc::new(setup(GreetedBy::Carrier)), history);
    let mut rig = Rig::of(call, rig.now);
    rig.caller(CallerEvent::Gone);
    assert!(rig.facts().iter().any(|fact| matches!(fact, Fact::Ended(_))));
    assert_eq!(rig.counted("words_cut"), 0, "they were counted before the call was rebuilt");
}

#[test]
fn words_that_are_not_kept_are_counted() {
    let mut rig = Rig::live();
    rig.response_created(1, "r1");
    for _ in 0..3 {
        rig.words(1, &key("r1", "a1"), &"word ".repeat(2_000));
    }
    rig.caller(CallerEvent::Gone);
    assert_eq!(rig.counted("words_cut"), 2, "20,000 and 30,000 bytes of a turn are more than 16 KiB");
    let mut rig = Rig::live();
    rig.input(Input::Model(ConnId(1), ModelEvent::Closed("why ".repeat(100))));
    rig.caller(CallerEvent::Gone);
    assert_eq!(rig.counted("cause_cut"), 1);
}
