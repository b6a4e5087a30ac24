//! Seeded worlds in virtual time: a call between a carrier, a person and a model, all of them rude.
//!
//! What must hold is checked after every step (`simulation/witness.rs`). A seed that fails is run again with its log;
//! `SIM_SEED=n` runs that one alone, `SIM_SEEDS=n` that many.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test")]

#[path = "simulation/carrier.rs"]
mod carrier;
#[path = "simulation/clips.rs"]
mod clips;
#[path = "simulation/functions.rs"]
mod functions;
#[path = "simulation/judging.rs"]
mod judging;
#[path = "simulation/latencies.rs"]
mod latencies;
#[path = "simulation/leg.rs"]
mod leg;
#[path = "simulation/link.rs"]
mod link;
#[path = "simulation/log.rs"]
mod log;
#[path = "simulation/person.rs"]
mod person;
#[path = "simulation/record.rs"]
mod record;
#[path = "simulation/recording.rs"]
mod recording;
#[path = "simulation/response.rs"]
mod response;
#[path = "simulation/scenario.rs"]
mod scenario;
#[path = "simulation/secret_keys.rs"]
mod secret_keys;
#[path = "simulation/server.rs"]
mod server;
#[path = "simulation/silence.rs"]
mod silence;
#[path = "simulation/tally.rs"]
mod tally;
#[path = "simulation/tape.rs"]
mod tape;
#[path = "simulation/vad.rs"]
mod vad;
#[path = "simulation/waiting.rs"]
mod waiting;
#[path = "simulation/witness.rs"]
mod witness;
#[path = "simulation/world.rs"]
mod world;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use leg::Reading;
use link::SEC;
use protocol::call::end::Ended;
use protocol::call::policy::{Confirmed, Interruptions, Silence, Then};
use scenario::{Expiry, Fate, Names, Scenario, Temper};
use tally::Tally;
use world::World;

/// The one look at a clock: what virtual time is counted from, and what the tests themselves take.
#[expect(clippy::disallowed_methods, reason = "the beginning of virtual time has to be some instant")]
fn clock() -> Instant {
    Instant::now()
}

/// One call. A world that fails is run once more, for its log.
fn run(scenario: &Scenario) -> Tally {
    let base = clock();
    catch_unwind(AssertUnwindSafe(|| World::new(base, scenario.clone(), false).run()))
        .unwrap_or_else(|_| World::new(base, scenario.clone(), true).run())
}

/// Many calls, on every core; the figures of all.
fn run_all(scenarios: &[Scenario]) -> Tally {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let share = scenarios.len().div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let runs: Vec<_> = scenarios
            .chunks(share)
            .map(|share| {
                scope.spawn(move || {
                    let mut all = Tally::default();
                    share.iter().for_each(|scenario| all.merge(&run(scenario)));
                    all
                })
            })
            .collect();
        let mut all = Tally::default();
        for run in runs {
            all.merge(&run.join().expect("every seed holds"));
        }
        all
    })
}

/// Seeds of [`Scenario::calm`] with something changed.
fn calm(seeds: u64, change: impl Fn(&mut Scenario)) -> Vec<Scenario> {
    changed(0..seeds, change)
}

/// Likewise, these.
fn changed(seeds: Range<u64>, change: impl Fn(&mut Scenario)) -> Vec<Scenario> {
    let changed = |seed| {
        let mut scenario = Scenario::calm(seed);
        change(&mut scenario);
        scenario
    };
    seeds.map(changed).collect()
}

/// What `SIM_SEED` or `SIM_SEEDS` say; else a thousand.
fn seeds() -> Range<u64> {
    let number = |name| std::env::var(name).ok().map(|n| n.parse::<u64>().expect("a number"));
    match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIM_SEEDS").unwrap_or(1000),
    }
}

/// What this thread has worked since it began; where the kernel does not say, what has passed since.
fn worked(began: Instant) -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|told| told.split(' ').next().and_then(|nanos| nanos.parse().ok()));
    nanos.map_or_else(|| began.elapsed(), Duration::from_nanos)
}

#[test]
fn one_hour_call_takes_under_two_seconds_of_real_time() {
    let mut hour = Scenario::calm(1);
    hour.policy.max_call = Duration::from_secs(3700);
    hour.manners.turns = u32::MAX;
    hour.mishaps.leaves_at = 3600 * SEC;
    let call = std::thread::spawn(move || {
        let began = clock();
        let call = run(&hour);
        (call, worked(began))
    });
    let (call, took) = call.join().expect("the hour holds");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(matches!(call.ended, Some(Ended::CallerHungUp { .. })));
    assert_eq!((call.of("dials"), call.of("sessions lost")), (2, 0), "the session was replaced before it grew too old");
    assert!(call.of("answers") > 250 && call.of("interruptions") > 50, "{call:#?}");
    assert!(call.of("longest silence ms") < 3000, "{call:#?}");
    assert!(call.of("end of speech off by ms") <= 100, "latencies count from the caller's last word: {call:#?}");
}

#[test]
fn a_thousand_seeded_calls_keep_the_ledgers_invariants() {
    let seeds = seeds();
    let calls = seeds.end - seeds.start;
    let all = run_all(&seeds.map(Scenario::of).collect::<Vec<_>>());
    eprintln!("{calls} calls: {all:#?}");
    // By thousand calls: the worlds are not idle, and every way out is taken.
    for (what, least) in [
        ("answers", 1500),
        ("latencies", 1500),
        ("latencies heard", 1000),
        ("interruptions", 600),
        ("truncations", 600),
        ("late deltas", 100),
        ("stale marks", 2000),
        ("missing_mark", 4000),
        ("sessions lost", 150),
        ("failed responses", 40),
        ("refusals", 50),
        ("restarts", 30),
        ("gateways lost", 60),
        ("spoken to again", 40),
        ("refused", 300),
        ("functions run", 30),
        ("functions returned", 40),
        ("entries of keys", 100),
        ("ended: agent hung up", 50),
        ("ended: transferred", 20),
        ("transfers refused", 3),
        ("ended: caller hung up", 250),
        ("ended: media silent", 5),
        ("ended: model failed", 20),
        ("ended: no media", 5),
        ("ended: operator", 10),
        ("ended: too long", 50),
    ] {
        assert!(calls < 1000 || all.of(what) * 1000 >= least * calls, "{what}: {}", all.of(what));
    }
}

#[test]
fn the_same_seed_gives_the_same_call() {
    for seed in 0..20 {
        assert_eq!(run(&Scenario::of(seed)), run(&Scenario::of(seed)));
    }
}

#[test]
fn an_interruption_is_told_to_within_a_message_of_what_was_really_heard() {
    let all = run_all(&calm(20, |it| {
        it.manners.cuts_in = 0.9;
        it.temper.item_ms = (3000, 12_000);
    }));
    assert!(all.of("truncations") > 80, "{all:#?}");
    assert!(all.of("stale marks") > 80, "marks of what was cleared came back, and did not count: {all:#?}");
}

#[test]
fn a_carrier_that_never_echoes_a_mark_is_talked_with_all_the_same() {
    let all = run_all(&calm(20, |it| {
        it.habits.mute_marks = true;
        it.manners.cuts_in = 0.5;
        it.temper.says_goodbye = 0.2;
    }));
    assert_eq!((all.of("sessions lost"), all.of("ended: model failed")), (0, 0), "{all:#?}");
    let (heard, played) = (all.of("heard ms"), all.of("played ms"));
    assert!(heard <= played && heard * 10 > played * 9, "{heard} of {played} ms");
}

#[test]
fn a_carrier_that_reads_slowly_is_talked_with_and_hears_every_answer_whole() {
    let all = run_all(&calm(30, |it| {
        it.reading = Reading { room: 2, reads_ms: (20, 400), stalls_ms: (50, 600), ..Reading::all() };
        it.manners.cuts_in = 0.0;
        it.troubled = true;
    }));
    assert!(all.of("refused") > 40, "{all:#?}");
    assert_eq!((all.of("ended: caller hung up"), all.of("sessions lost")), (30, 0), "{all:#?}");
    let (heard, played) = (all.of("heard ms"), all.of("played ms"));
    assert!(heard <= played && heard * 100 > played * 95, "{heard} of {played} ms");
}

#[test]
fn a_carrier_that_stops_reading_for_a_while_is_played_on_from_where_it_stopped() {
    let all = run_all(&calm(30, |it| {
        it.reading = Reading { room: 3, reads_ms: (2_000, 9_000), stalls_ms: (500, 4_000), ..Reading::all() };
        it.policy.chunk_ms = 20;
        it.troubled = true;
    }));
    assert!(all.of("refused") > 100 && all.of("truncations") > 20, "{all:#?}");
    assert_eq!(all.of("ended: caller hung up"), 30, "{all:#?}");
}

#[test]
fn a_carrier_that_never_reads_again_is_let_go_and_hears_nothing_more() {
    let all = run_all(&calm(20, |it| {
        it.reading = Reading { stops_at: 5 * SEC + it.seed * SEC, ..Reading::all() };
        it.manners.turns = 100;
        it.troubled = true;
    }));
    assert_eq!(all.of("ended: media silent"), 20, "{all:#?}");
    assert!(all.of("heard ms") <= all.of("played ms"), "{all:#?}");
}

#[test]
fn a_goodbye_is_heard_to_its_end_and_then_the_call_ends() {
    let all = run_all(&calm(30, |it| {
        it.manners.cuts_in = 0.0;
        it.temper.says_goodbye = 1.0;
    }));
    let ended = all.of("ended: agent hung up") + all.of("ended: transferred");
    assert_eq!((ended, all.of("unheard ms")), (30, 0), "{all:#?}");
    assert!(all.of("ended: transferred") > 0);
}

#[test]
fn a_model_that_cannot_be_had_is_given_up_within_the_policys_wait() {
    use Fate::{ClosedAtOnce, NeverOpens, NeverUpdates, Refused, RefusesAll};
    for fate in [ClosedAtOnce, NeverOpens, NeverUpdates, Refused, RefusesAll] {
        let all = run_all(&calm(3, |it| {
            it.temper.fates[0] = (1.0, fate);
            (it.media_at, it.troubled) = (0, true);
        }));
        assert_eq!(all.of("ended: model failed"), 3, "{fate:?}: {all:#?}");
        assert!(all.of("longest silence ms") <= 10_100, "{fate:?}: {all:#?}");
    }
}

#[test]
fn a_model_that_hears_nothing_says_nothing_or_fails_is_given_up_before_the_caller_waits_too_long() {
    let trouble: [fn(&mut Temper); 3] = [|it| it.deaf = 1.0, |it| it.mute = 1.0, |it| it.fails = 1.0];
    for worsen in trouble {
        let all = run_all(&calm(5, |it| {
            worsen(&mut it.temper);
            it.troubled = true;
            it.manners.turns = 100;
            it.manners.patience_ms = (9000, 14_000);
        }));
        assert_eq!(all.of("ended: model failed"), 5, "{all:#?}");
    }
}

#[test]
fn a_caller_who_speaks_up_again_and_again_is_not_kept_by_a_model_that_never_answers() {
    let trouble: [fn(&mut Temper); 2] = [|it| it.mute = 1.0, |it| (it.drops, it.drop_ms) = (1.0, (0, 1500))];
    for worsen in trouble {
        let all = run_all(&calm(5, |it| {
            worsen(&mut it.temper);
            it.troubled = true;
            it.manners.turns = 1000;
            it.manners.utterance_ms = (900, 1500);
            it.manners.patience_ms = (3000, 6000);
            it.policy.max_call = Duration::from_secs(300);
        }));
        assert_eq!(all.of("ended: model failed"), 5, "{all:#?}");
    }
}

#[test]
fn a_call_outlives_faults_of_ours() {
    let all = run_all(&calm(40, |it| {
        it.mishaps.panics = 0.002;
        it.troubled = true;
    }));
    assert!(all.of("restarts") > 80, "{all:#?}");
    assert_eq!(all.of("ended: caller hung up"), 40, "{all:#?}");
    assert!(all.of("longest silence ms") < 15_000, "{all:#?}");
}

#[test]
fn a_call_whose_gateway_dies_goes_on_at_another_from_its_record() {
    let all = run_all(&calm(60, |it| {
        it.mishaps.deaths = 3;
        it.mishaps.dtmf = 0.002;
        it.mishaps.panics = 0.0005;
        it.functions = true;
        it.temper.calls_tool = 0.4;
        it.policy.tool_wait = Duration::from_secs(4);
        it.policy.max_call = Duration::from_secs(200);
        it.troubled = true;
    }));
    let (lost, back) = (all.of("gateways lost"), all.of("spoken to again"));
    assert!(lost > 100 && back <= lost && back * 10 >= lost * 9, "{all:#?}");
    assert!(all.of("functions returned") > 20 && all.of("entries of keys") > 20, "{all:#?}");
    assert_eq!(all.of("ended: caller hung up"), 60, "{all:#?}");
}

#[test]
fn sessions_that_end_are_replaced_and_the_conversation_goes_on() {
    let all = run_all(&calm(30, |it| {
        it.temper.drops = 0.5;
        it.temper.expires_after = 25 * SEC;
        it.troubled = true;
    }));
    assert!(all.of("sessions lost") > 40, "{all:#?}");
    assert_eq!(all.of("ended: caller hung up"), 30, "{all:#?}");
    assert!(all.of("longest silence ms") < 15_000, "{all:#?}");
}

#[test]
fn functions_are_run_once_and_answered_however_slow_broken_or_silent_they_are() {
    let all = run_all(&calm(60, |it| {
        it.functions = true;
        it.policy.tool_wait = Duration::from_secs(4);
        it.policy.roll_after = Duration::from_secs(15);
        it.policy.session_losses = 100;
        it.temper.calls_tool = 0.6;
        it.temper.drops = 0.5;
        it.temper.repeats = 0.05;
        it.mishaps.panics = 0.0007;
        it.troubled = true;
    }));
    let (run, returned) = (all.of("functions run"), all.of("functions returned"));
    assert!(run > 200 && returned > run / 2, "{all:#?}");
    assert!(all.of("tool_timed_out") > 20 && all.of("tool_result_late") > 20, "{all:#?}");
    assert!(all.of("sessions lost") > 20 && all.of("restarts") > 20, "{all:#?}");
    assert_eq!(all.of("ended: caller hung up"), 60, "{all:#?}");
    assert!(all.of("longest silence ms") < 20_000, "{all:#?}");
}

/// Calls whose agent calls functions again and again, with one trouble after the other.
fn with_functions(seeds: Range<u64>) -> Vec<Scenario> {
    changed(seeds, |it| {
        let of = |many: u64| it.seed % many;
        it.functions = true;
        it.temper.calls_tool = 0.6;
        it.policy.tool_wait = Duration::from_secs([3, 12, 30][of(3) as usize]);
        it.policy.max_call = Duration::from_secs(90);
        it.policy.session_losses = 100;
        it.manners.cuts_in = [0.0, 0.4, 0.9][of(9) as usize / 3];
        // Some have nothing to say to one who only looks something up.
        it.manners.think_ms = if of(6) < 2 { (12_000, 25_000) } else { it.manners.think_ms };
        it.temper.repeats = if of(2) == 0 { 0.05 } else { 0.0 };
        it.temper.drops = if of(4) == 1 { 0.6 } else { 0.0 };
        it.policy.roll_after = if of(4) == 2 { Duration::from_secs(15) } else { it.policy.roll_after };
        it.mishaps.panics = if of(5) == 1 { 0.0007 } else { 0.0 };
        it.mishaps.deaths = if of(5) == 2 { 2 } else { 0 };
        it.mishaps.dtmf = if of(5) == 3 { 0.004 } else { 0.0 };
        it.temper.refuses = if of(7) == 1 { 0.1 } else { 0.0 };
        it.temper.fails = if of(7) == 2 { 0.2 } else { 0.0 };
        it.temper.loses_stops = if of(7) == 3 { 0.3 } else { 0.0 };
        it.troubled = true;
    })
}

#[test]
fn a_thousand_calls_run_each_function_once_answer_it_once_and_leave_nobody_in_silence() {
    let seeds = seeds();
    let calls = seeds.end - seeds.start;
    let all = run_all(&with_functions(seeds));
    eprintln!("{calls} calls: {all:#?}");
    // By thousand calls.
    for (what, least) in [
        ("functions run", 3_000),
        ("functions returned", 3_000),
        ("tool_timed_out", 500),
        ("tool_result_late", 500),
        ("results in words", 200),
        ("fixed sentences", 1_000),
        ("response_dismissed", 100),
        ("interruptions", 1_000),
        ("restarts", 300),
        ("gateways lost", 200),
        ("sessions lost", 150),
        ("entries of keys", 200),
    ] {
        assert!(calls < 1000 || all.of(what) * 1000 >= least * calls, "{what}: {}", all.of(what));
    }
    assert_eq!(all.of("responses_overlapped"), 0);
}

/// Calls of all kinds, whose callers stay on the line when they have nothing more to say.
fn with_silent_callers(seeds: Range<u64>) -> Vec<Scenario> {
    let silent = |seed: u64| {
        let mut it = Scenario::of(seed);
        let words = if seed.is_multiple_of(3) { Vec::new() } else { clips::hold_words() };
        let then = if seed.is_multiple_of(5) { Then::Transfer("desk".to_owned()) } else { Then::HangUp };
        let (after, nudges) = (Duration::from_secs(3 + seed % 5), u32::try_from(seed % 4).unwrap_or(0));
        it.policy.silence = Some(Silence { after, words, nudges, then });
        it.policy.max_call = Duration::from_secs(400);
        // Whoever presses keys is no silent caller.
        (it.mishaps.stays, it.mishaps.dtmf) = (true, 0.0);
        it
    };
    seeds.map(silent).collect()
}

#[test]
fn a_thousand_silent_callers_are_spoken_to_in_their_own_silence_alone_and_let_go_at_last() {
    let seeds = seeds();
    let calls = seeds.end - seeds.start;
    let all = run_all(&with_silent_callers(seeds));
    eprintln!("{calls} calls: {all:#?}");
    // By thousand calls.
    for (what, least) in [
        ("nudged", 600),
        ("ended: caller silent", 300),
        ("ended: transferred", 80),
        ("restarts", 30),
        ("sessions lost", 150),
        ("interruptions", 500),
    ] {
        assert!(calls < 1000 || all.of(what) * 1000 >= least * calls, "{what}: {}", all.of(what));
    }
    assert_eq!(all.of("ended: too long"), 0, "nobody is waited for without end");
}

#[test]
fn keys_are_answered_whatever_becomes_of_the_session_that_they_were_pressed_in() {
    let all = run_all(&calm(40, |it| {
        it.mishaps.dtmf = 0.01;
        it.policy.session_losses = 100;
        it.temper.drops = 0.5;
        it.mishaps.panics = 0.0007;
        it.troubled = true;
    }));
    assert!(all.of("entries of keys") > 200 && all.of("interruptions") > 100, "{all:#?}");
    assert!(all.of("sessions lost") > 10 && all.of("restarts") > 10, "{all:#?}");
    assert_eq!(all.of("ended: caller hung up"), 40, "{all:#?}");
}

#[test]
fn keys_that_nobody_is_told_are_in_nothing_that_comes_out_whatever_happens_meanwhile() {
    let all = run_all(&calm(60, |it| {
        (it.secret_keys, it.functions, it.policy.record) = (true, true, true);
        (it.mishaps.dtmf, it.mishaps.stays, it.mishaps.leaves_at) = (0.02, true, 90 * SEC);
        it.manners.turns = 0;
        it.policy.session_losses = 100;
        it.temper.drops = 0.3;
        it.mishaps.panics = 0.0003;
        it.troubled = true;
    }));
    assert!(all.of("entries of keys") > 500 && all.of("sessions lost") > 10 && all.of("restarts") > 10, "{all:#?}");
}

#[test]
fn a_session_lost_while_its_replacement_waits_for_a_quiet_moment_costs_nothing() {
    let all = run_all(&calm(40, |it| {
        it.policy.roll_after = Duration::from_secs(8);
        it.temper.expiry = Expiry::Absent;
        it.policy.session_losses = 100;
        it.temper.drops = 1.0;
        it.temper.drop_ms = (9_000, 13_000);
        it.temper.item_ms = (4000, 12_000);
        it.troubled = true;
    }));
    assert!(all.of("sessions lost") > 40, "{all:#?}");
    assert_eq!(all.of("ended: caller hung up"), 40, "{all:#?}");
    assert!(all.of("longest silence ms") < 15_000, "{all:#?}");
}

/// Calls of a quarter of an hour, on sessions of four minutes.
fn short_sessions(expiry: Expiry) -> Tally {
    run_all(&calm(8, |it| {
        it.policy.max_call = Duration::from_secs(900);
        it.manners.turns = u32::MAX;
        it.temper.expires_after = 240 * SEC;
        it.temper.expiry = expiry;
        it.troubled = true;
    }))
}

#[test]
fn a_session_whose_end_is_told_is_replaced_before_it_and_no_caller_notices() {
    let told = short_sessions(Expiry::Right);
    assert!(told.of("dials") >= 8 * 5, "{told:#?}");
    assert_eq!((told.of("sessions lost"), told.of("ended: too long")), (0, 8), "{told:#?}");
    assert!(told.of("longest silence ms") < 3_000, "{told:#?}");
    for nonsense in [Expiry::Absent, Expiry::Past, Expiry::YearsAhead] {
        let all = short_sessions(nonsense);
        assert!(all.of("sessions lost") >= 8 * 3, "{nonsense:?}: {all:#?}");
        assert_eq!(all.of("expiry_ignored") > 0, nonsense != Expiry::Absent, "{nonsense:?}: {all:#?}");
        assert_eq!(all.of("ended: too long"), 8, "{nonsense:?}: the conversation goes on in the next: {all:#?}");
    }
}

#[test]
fn a_server_that_refuses_much_of_what_it_is_asked_keeps_nobody_waiting_however_it_names_it() {
    for names in [Names::Right, Names::Foreign, Names::Missing] {
        let all = run_all(&calm(40, |it| {
            it.temper.names = names;
            it.temper.refuses = 0.3;
            it.temper.calls_tool = 0.3;
            it.troubled = true;
        }));
        assert!(all.of("refusals") > 40, "{names:?}: {all:#?}");
        if names == Names::Right {
            assert_eq!(all.of("sessions lost"), 0, "an answer to one event says nothing of the session: {all:#?}");
        }
    }
}

/// Calls whose callers cough, say "haan ji" and cut in, and whose agents find out which it was.
fn with_coughs(seeds: Range<u64>) -> Vec<Scenario> {
    changed(seeds, |it| {
        it.interruptions = Interruptions::Confirmed(Confirmed::default());
        it.policy.record = false;
        it.policy.max_call = Duration::from_secs(120);
        it.policy.chunk_ms = [100, 200][(it.seed % 2) as usize];
        it.manners.coughs = 0.6;
        it.manners.listens = 0.4;
        it.manners.cuts_in = [0.0, 0.3, 0.6][(it.seed % 3) as usize];
        it.manners.utterance_ms = [(900, 5000), (1300, 3000)][(it.seed % 2) as usize];
        it.temper.item_ms = (3_000, 9_000);
    })
}

#[test]
fn a_thousand_callers_cough_and_say_haan_and_no_agent_is_silenced_by_that_nor_goes_on_over_a_turn() {
    let seeds = seeds();
    let calls = seeds.end - seeds.start;
    let all = run_all(&with_coughs(seeds));
    let of = |what: &str| all.of(what);
    let (coughs, long, cost) =
        (of("coughs"), of("coughs that paused the agent for long"), of("coughs that cost the agent's sentence"));
    eprintln!(
        "{calls} calls: {coughs} coughs, of which {long} paused the agent for more than 300 ms and {cost} cost its sentence; {} listeners' \
         words, and {} more with the agent about to be done; {} turns that cut in, none of them gone on over; paused speech goes on {} ms \
         after the sound at the latest",
        of("listeners' words"),
        of("listeners taken for turns"),
        of("turns that cut in"),
        of("goes on after ms"),
    );
    assert!(calls < 1000 || coughs * 1000 >= 1_500 * calls && of("listeners' words") * 1000 >= 500 * calls, "{all:#?}");
    assert!(calls < 1000 || of("turns that cut in") >= calls, "{all:#?}");
    assert!(long * 10 <= coughs && cost == 0, "{all:#?}");
    assert!(of("goes on after ms") <= 1_200, "{all:#?}");
}

/// Calls of all kinds, in which it is we who answer, and who judge what the caller's sounds are.
fn that_we_answer(seeds: Range<u64>) -> Vec<Scenario> {
    let ours = |seed: u64| {
        let mut it = Scenario::of(seed);
        let confirmed = Interruptions::Confirmed(Confirmed::default());
        it.interruptions = if seed.is_multiple_of(4) { Interruptions::Never } else { confirmed };
        it.policy.record = false;
        (it.manners.coughs, it.manners.listens) = (0.4, 0.3);
        it
    };
    seeds.map(ours).collect()
}

#[test]
fn calls_of_all_kinds_hold_when_it_is_we_who_judge_and_answer() {
    let seeds = seeds();
    let all = run_all(&that_we_answer(seeds.start..seeds.end.min(seeds.start + 600)));
    eprintln!("{all:#?}");
    assert!(seeds.end - seeds.start < 600 || all.of("pauses") > 300 && all.of("coughs") > 300, "{all:#?}");
}
