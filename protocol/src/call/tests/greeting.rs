//! When the greeting is asked for.

use super::*;

fn late() -> Desk {
    Desk::with(Policy { greet_early: false, ..Policy::default() }, GreetedBy::Model)
}

fn asked(desk: &Desk) -> usize {
    desk.sent().iter().filter(|event| matches!(event, ClientEvent::CreateResponse { .. })).count()
}

#[test]
fn while_many_wait_a_greeting_is_paid_for_only_once_somebody_is_there_to_hear_it() {
    let mut desk = late();
    desk.ready(1);
    desk.wait(5_000);
    assert_eq!(asked(&desk), 0);
    desk.start_media();
    assert_eq!(asked(&desk), 1);
}

#[test]
fn a_caller_who_is_there_before_the_session_is_greeted_once_it_is_ready() {
    let mut desk = late();
    desk.start_media();
    desk.pass(100);
    assert_eq!(asked(&desk), 0);
    desk.ready(1);
    assert_eq!(asked(&desk), 1);
}

#[test]
fn a_greeting_that_the_carrier_says_is_asked_of_no_model() {
    let mut desk = Desk::with(Policy { greet_early: false, ..Policy::default() }, GreetedBy::Carrier);
    desk.ready(1);
    desk.start_media();
    assert_eq!(asked(&desk), 0);
}

#[test]
fn while_few_wait_the_greeting_is_ready_when_the_caller_comes() {
    let mut desk = Desk::new(GreetedBy::Model);
    desk.ready(1);
    assert_eq!(asked(&desk), 1);
    desk.start_media();
    assert_eq!(asked(&desk), 1);
}

#[test]
fn what_a_flooding_carrier_lost_is_told_once_when_the_call_is_over() {
    let mut desk = Desk::live();
    for _ in 0..5 {
        desk.caller(CallerEvent::Dropped { events: 1000 });
        desk.pass(1000);
    }
    desk.caller(CallerEvent::Stopped(None));
    let dropped = |fact: &&Fact| matches!(fact, Fact::Counted { what: "events_dropped", .. });
    let told: Vec<_> = desk.facts().into_iter().filter(dropped).collect();
    assert_eq!(told, [&Fact::Counted { what: "events_dropped", count: 5000 }]);
}
