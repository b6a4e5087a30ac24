//! When the greeting is asked for.

use super::*;

fn late() -> Rig {
    Rig::with(Policy { greet_early: false, ..Policy::default() }, GreetedBy::Model)
}

fn asked(rig: &Rig) -> usize {
    rig.sent().iter().filter(|event| matches!(event, ClientEvent::CreateResponse { .. })).count()
}

#[test]
fn while_many_wait_a_greeting_is_paid_for_only_once_somebody_is_there_to_hear_it() {
    let mut rig = late();
    rig.ready(1);
    rig.wait(5_000);
    assert_eq!(asked(&rig), 0);
    rig.start_media();
    assert_eq!(asked(&rig), 1);
}

#[test]
fn a_caller_who_is_there_before_the_session_is_greeted_once_it_is_ready() {
    let mut rig = late();
    rig.start_media();
    rig.pass(100);
    assert_eq!(asked(&rig), 0);
    rig.ready(1);
    assert_eq!(asked(&rig), 1);
}

#[test]
fn a_greeting_that_the_carrier_says_is_asked_of_no_model() {
    let mut rig = Rig::with(Policy { greet_early: false, ..Policy::default() }, GreetedBy::Carrier);
    rig.ready(1);
    rig.start_media();
    assert_eq!(asked(&rig), 0);
}

#[test]
fn while_few_wait_the_greeting_is_ready_when_the_caller_comes() {
    let mut rig = Rig::new(GreetedBy::Model);
    rig.ready(1);
    assert_eq!(asked(&rig), 1);
    rig.start_media();
    assert_eq!(asked(&rig), 1);
}

#[test]
fn what_a_flooding_carrier_lost_is_told_once_when_the_call_is_over() {
    let mut rig = Rig::live();
    for _ in 0..5 {
        rig.caller(CallerEvent::Dropped { events: 1000 });
        rig.pass(1000);
    }
    rig.caller(CallerEvent::Stopped(None));
    let dropped = |fact: &&Fact| matches!(fact, Fact::Counted { what: "events_dropped", .. });
    let told: Vec<_> = rig.facts().into_iter().filter(dropped).collect();
    assert_eq!(told, [&Fact::Counted { what: "events_dropped", count: 5000 }]);
}
