//! What wears a call out, and when it is enough.

use super::*;
use crate::realtime::failure::ProviderRefusal;

#[test]
fn a_model_that_says_a_little_and_drops_is_given_up_after_five_sessions_in_a_minute() {
    let mut desk = Desk::live();
    for conn in 1..=10 {
        let response = format!("r{conn}");
        desk.response_created(conn, &response);
        desk.audio(conn, &key(&response, &format!("a{conn}")), 600);
        desk.pass(1_000);
        desk.closed(conn);
        if desk.ended().is_some() {
            break;
        }
        desk.pass(2_500);
        desk.ready(conn + 1);
    }
    assert!(
        matches!(desk.ended(), Some(Ended::ModelFailed { cause }) if cause.contains("lost 5 times within 60 s")),
        "{:?}",
        desk.ended()
    );
    assert_eq!(desk.dialled().len(), 4, "the first and four more");
}

#[test]
fn sessions_lost_far_apart_are_replaced_for_ever() {
    let mut desk = Desk::live();
    for conn in 1..=20 {
        desk.pass(15_000);
        desk.closed(conn);
        desk.pass(100);
        desk.ready(conn + 1);
    }
    assert_eq!(desk.ended(), None);
}

#[test]
fn whatever_loses_a_session_counts() {
    let mut desk = Desk::live();
    for conn in 1..=5 {
        match conn {
            1 => desk.error(conn, "session_expired"),
            2 => (0..5).for_each(|_| desk.error(conn, "server_error")),
            _ => desk.closed(conn),
        }
        desk.pass(2_500);
        desk.ready(conn + 1);
    }
    assert!(matches!(desk.ended(), Some(Ended::ModelFailed { .. })));
}

#[test]
fn a_lost_session_says_why_and_whether_the_provider_would_not_have_us() {
    let told = |desk: &Desk| {
        desk.facts().into_iter().find_map(|f| match f {
            Fact::ModelLost { cause, refused } => Some((cause.clone(), refused.is_some())),
            _ => None,
        })
    };
    let mut desk = Desk::live();
    desk.input(Input::Model(ConnId(1), ModelEvent::Closed(String::new())));
    assert_eq!(told(&desk), Some(("no reason was given".to_owned(), false)));
    let mut desk = Desk::new(GreetedBy::Carrier);
    desk.input(Input::Model(ConnId(1), ModelEvent::Refused(ProviderRefusal::Unauthorized, "HTTP 401".to_owned())));
    assert_eq!(told(&desk), Some(("HTTP 401".to_owned(), true)));
    let mut desk = Desk::live();
    desk.error(1, "insufficient_quota");
    assert_eq!(told(&desk), Some(("insufficient_quota: no".to_owned(), true)));
    let mut desk = Desk::live();
    desk.caller_turn(1, "u1");
    desk.response_created(1, "r1");
    let failed = ResponseStatus::Failed { code: "insufficient_quota".to_owned(), message: String::new() };
    desk.response_done(1, "r1", failed);
    assert_eq!(told(&desk), Some(("the response failed: insufficient_quota".to_owned(), true)));
}

#[test]
fn a_key_that_is_refused_while_another_session_serves_costs_nothing() {
    let policy = Policy { roll_after: Duration::from_secs(5), ..Policy::default() };
    let mut desk = Desk::with(policy, GreetedBy::Carrier);
    desk.ready(1);
    desk.start_media();
    desk.pass(5_000);
    assert_eq!(desk.dialled(), [1, 2]);
    desk.input(Input::Model(ConnId(2), ModelEvent::Refused(ProviderRefusal::Unauthorized, "HTTP 401".to_owned())));
    desk.pass(1_000);
    assert_eq!(desk.ended(), None);
}

#[test]
fn races_that_every_client_has_do_not_look_like_a_flood_of_errors() {
    let mut desk = Desk::live();
    for _ in 0..20 {
        desk.error(1, "response_cancel_not_active");
        desk.error(1, "item_truncate_invalid_item_id");
    }
    assert_eq!((desk.dialled().len(), desk.ended()), (0, None));
}

/// A call in which a replacement is ready and waits for a quiet moment.
fn with_a_replacement() -> Desk {
    let policy = Policy { roll_after: Duration::from_secs(5), ..Policy::default() };
    let mut desk = Desk::with(policy, GreetedBy::Carrier);
    desk.ready(1);
    desk.start_media();
    desk.pass(4_900);
    desk.caller_turn(1, "u1");
    desk.response_created(1, "r1");
    desk.audio(1, &key("r1", "a1"), 1_000);
    desk.pass(200);
    desk.ready(2);
    desk.take();
    desk
}

#[test]
fn a_provider_that_refuses_a_session_is_not_given_up_while_another_is_ready() {
    let failed = || ResponseStatus::Failed { code: "insufficient_quota".to_owned(), message: String::new() };
    let refuses: [&dyn Fn(&mut Desk); 3] =
        [&|desk| desk.error(1, "insufficient_quota"), &|desk| desk.response_done(1, "r1", failed()), &|desk| {
            desk.input(Input::Model(
                ConnId(1),
                ModelEvent::Refused(ProviderRefusal::Unauthorized, "HTTP 401".to_owned()),
            ))
        }];
    for refuse in refuses {
        let mut desk = with_a_replacement();
        refuse(&mut desk);
        assert_eq!(desk.ended(), None);
        assert!(desk.facts().iter().any(|fact| matches!(fact, Fact::ModelLost { refused: Some(_), .. })));
        desk.play_out();
        assert_eq!(desk.asked(), 1, "the other one goes on with the answer");
        desk.error(2, "invalid_api_key");
        assert!(matches!(desk.ended(), Some(Ended::ModelFailed { .. })), "and when there is none, that is the end");
    }
}

#[test]
fn a_replacement_that_the_provider_refuses_in_words_costs_nothing() {
    let mut desk = with_a_replacement();
    desk.error(2, "insufficient_quota");
    desk.play_out();
    desk.pass(1_000);
    assert_eq!((desk.dialled().len(), desk.ended()), (0, None));
}
