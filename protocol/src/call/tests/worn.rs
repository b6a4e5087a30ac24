//! What wears a call out, and when it is enough.

use super::*;
use crate::realtime::failure::ProviderRefusal;

#[test]
fn a_model_that_says_a_little_and_drops_is_given_up_after_five_sessions_in_a_minute() {
    let mut rig = Rig::live();
    for conn in 1..=10 {
        let response = format!("r{conn}");
        rig.response_created(conn, &response);
        rig.audio(conn, &key(&response, &format!("a{conn}")), 600);
        rig.pass(1_000);
        rig.closed(conn);
        if rig.ended().is_some() {
            break;
        }
        rig.pass(2_500);
        rig.ready(conn + 1);
    }
    assert!(
        matches!(rig.ended(), Some(Ended::ModelFailed { cause }) if cause.contains("lost 5 times within 60 s")),
        "{:?}",
        rig.ended()
    );
    assert_eq!(rig.dialled().len(), 4, "the first and four more");
}

#[test]
fn sessions_lost_far_apart_are_replaced_for_ever() {
    let mut rig = Rig::live();
    for conn in 1..=20 {
        rig.pass(15_000);
        rig.closed(conn);
        rig.pass(100);
        rig.ready(conn + 1);
    }
    assert_eq!(rig.ended(), None);
}

#[test]
fn whatever_loses_a_session_counts() {
    let mut rig = Rig::live();
    for conn in 1..=5 {
        match conn {
            1 => rig.error(conn, "session_expired"),
            2 => (0..5).for_each(|_| rig.error(conn, "server_error")),
            _ => rig.closed(conn),
        }
        rig.pass(2_500);
        rig.ready(conn + 1);
    }
    assert!(matches!(rig.ended(), Some(Ended::ModelFailed { .. })));
}

#[test]
fn a_lost_session_says_why_and_whether_the_provider_would_not_have_us() {
    let told = |rig: &Rig| {
        rig.facts().into_iter().find_map(|f| match f {
            Fact::ModelLost { cause, refused } => Some((cause.clone(), refused.is_some())),
            _ => None,
        })
    };
    let mut rig = Rig::live();
    rig.input(Input::Model(ConnId(1), ModelEvent::Closed(String::new())));
    assert_eq!(told(&rig), Some(("no reason was given".to_owned(), false)));
    let mut rig = Rig::new(GreetedBy::Carrier);
    rig.input(Input::Model(ConnId(1), ModelEvent::Refused(ProviderRefusal::Unauthorized, "HTTP 401".to_owned())));
    assert_eq!(told(&rig), Some(("HTTP 401".to_owned(), true)));
    let mut rig = Rig::live();
    rig.error(1, "insufficient_quota");
    assert_eq!(told(&rig), Some(("insufficient_quota: no".to_owned(), true)));
    let mut rig = Rig::live();
    rig.caller_turn(1, "u1");
    rig.response_created(1, "r1");
    let failed = ResponseStatus::Failed { code: "insufficient_quota".to_owned(), message: String::new() };
    rig.response_done(1, "r1", failed);
    assert_eq!(told(&rig), Some(("the response failed: insufficient_quota".to_owned(), true)));
}

#[test]
fn a_key_that_is_refused_while_another_session_serves_costs_nothing() {
    let policy = Policy { roll_after: Duration::from_secs(5), ..Policy::default() };
    let mut rig = Rig::with(policy, GreetedBy::Carrier);
    rig.ready(1);
    rig.start_media();
    rig.pass(5_000);
    assert_eq!(rig.dialled(), [1, 2]);
    rig.input(Input::Model(ConnId(2), ModelEvent::Refused(ProviderRefusal::Unauthorized, "HTTP 401".to_owned())));
    rig.pass(1_000);
    assert_eq!(rig.ended(), None);
}

#[test]
fn races_that_every_client_has_do_not_look_like_a_flood_of_errors() {
    let mut rig = Rig::live();
    for _ in 0..20 {
        rig.error(1, "response_cancel_not_active");
        rig.error(1, "item_truncate_invalid_item_id");
    }
    assert_eq!((rig.dialled().len(), rig.ended()), (0, None));
}

/// A call in which a replacement is ready and waits for a quiet moment.
fn with_a_replacement() -> Rig {
    let policy = Policy { roll_after: Duration::from_secs(5), ..Policy::default() };
    let mut rig = Rig::with(policy, GreetedBy::Carrier);
    rig.ready(1);
    rig.start_media();
    rig.pass(4_900);
    rig.caller_turn(1, "u1");
    rig.response_created(1, "r1");
    rig.audio(1, &key("r1", "a1"), 1_000);
    rig.pass(200);
    rig.ready(2);
    rig.take();
    rig
}

#[test]
fn a_provider_that_refuses_a_session_is_not_given_up_while_another_is_ready() {
    let failed = || ResponseStatus::Failed { code: "insufficient_quota".to_owned(), message: String::new() };
    let refuses: [&dyn Fn(&mut Rig); 3] =
        [&|rig| rig.error(1, "insufficient_quota"), &|rig| rig.response_done(1, "r1", failed()), &|rig| {
            rig.input(Input::Model(
                ConnId(1),
                ModelEvent::Refused(ProviderRefusal::Unauthorized, "HTTP 401".to_owned()),
            ))
        }];
    for refuse in refuses {
        let mut rig = with_a_replacement();
        refuse(&mut rig);
        assert_eq!(rig.ended(), None);
        assert!(rig.facts().iter().any(|fact| matches!(fact, Fact::ModelLost { refused: Some(_), .. })));
        rig.play_out();
        assert_eq!(rig.asked(), 1, "the other one goes on with the answer");
        rig.error(2, "invalid_api_key");
        assert!(matches!(rig.ended(), Some(Ended::ModelFailed { .. })), "and when there is none, that is the end");
    }
}

#[test]
fn a_replacement_that_the_provider_refuses_in_words_costs_nothing() {
    let mut rig = with_a_replacement();
    rig.error(2, "insufficient_quota");
    rig.play_out();
    rig.pass(1_000);
    assert_eq!((rig.dialled().len(), rig.ended()), (0, None));
}
