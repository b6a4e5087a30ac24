use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::exotel::status::{ENDS, finality};

fn hung_up(reason: &str) -> Ended {
    Ended::CallerHungUp { reason: Some(reason.to_owned()) }
}

/// Every way that a machine can end a call.
fn every_way() -> Vec<Ended> {
    let words = || "busy lines".to_owned();
    vec![
        hung_up("callended"),
        hung_up("stopped"),
        Ended::CallerHungUp { reason: None },
        Ended::AgentHungUp,
        Ended::Transferred(Transfer::because(words())),
        Ended::Operator,
        Ended::CallEnd { status: "busy".to_owned() },
        Ended::TooLong,
        Ended::NoMedia,
        Ended::MediaSilent,
        Ended::ModelFailed { cause: words() },
        Ended::GaveUp { cause: words() },
        Ended::Shutdown,
        Ended::TakenOver,
    ]
}

#[test]
fn every_way_to_end_has_a_word_of_its_own() {
    let codes: HashSet<EndCode> = every_way().iter().map(Ended::code).collect();
    assert_eq!(codes.len(), every_way().len());
    let names: HashSet<&str> = EndCode::ALL.into_iter().map(EndCode::name).collect();
    assert_eq!(names.len(), EndCode::ALL.len());
    for code in EndCode::ALL {
        assert_eq!(EndCode::from_name(code.name()), code);
        assert_eq!(EndedBy::from_name(code.by().name()), Some(code.by()));
    }
    assert_eq!(EndCode::from_name("voicemail"), EndCode::Unknown, "a word of a later version");
}

#[test]
fn only_who_speaks_of_the_call_ends_it_for_good() {
    for over in [
        hung_up("call_ended"),
        Ended::AgentHungUp,
        Ended::Operator,
        Ended::TooLong,
        Ended::CallEnd { status: "busy".to_owned() },
    ] {
        assert!(!over.is_provisional(), "{over:?}");
    }
    for open in [hung_up("stopped"), hung_up(""), Ended::CallerHungUp { reason: None }, Ended::NoMedia, Ended::Shutdown]
    {
        assert!(open.is_provisional(), "{open:?}");
    }
    assert!(Ended::Transferred(Transfer::because("billing".to_owned())).is_provisional());
    assert!(EndCode::Reaped.is_provisional(), "the gateway died, not the call");
    assert!(!Ended::TakenOver.is_provisional(), "it is back already, elsewhere");
}

#[test]
fn whoever_was_not_served_is_put_through() {
    for ended in every_way() {
        let transferred = matches!(ended, Ended::Transferred(_));
        assert_eq!(ended.code().hands_on(), transferred || ended.status() == "failed", "{ended:?}");
    }
    assert!(EndCode::Reaped.hands_on() && EndCode::Unknown.hands_on());
}

#[test]
fn a_gateway_that_had_the_call_knows_most_then_the_carrier_then_who_waited_in_vain() {
    let ranked = [
        EndRank::of(EndCode::Reaped, "failed"),
        EndRank::of(EndCode::NoMedia, "failed"),
        EndRank::of(EndCode::StreamReported, "canceled"),
        EndRank::of(EndCode::StreamReported, "completed"),
        EndRank::of(EndCode::CarrierReported, "canceled"),
        EndRank::of(EndCode::CarrierReported, "busy"),
        EndRank::of(EndCode::CarrierReported, "completed"),
        EndRank::of(EndCode::AgentHungUp, "completed"),
    ];
    for pair in ranked.windows(2) {
        assert!(pair[1].outranks(Some(pair[0])) && !pair[0].outranks(Some(pair[1])), "{pair:?}");
    }
    assert!(ranked.into_iter().all(|rank| rank.outranks(None)), "where nothing stands, anything does");
}

/// An account, told apart from others of its rank by who tells it.
type Account = (EndCode, &'static str);

fn accounts() -> impl Strategy<Value = Vec<Account>> {
    let account = (prop::sample::select(EndCode::ALL.to_vec()), prop::sample::select(ENDS.to_vec()));
    prop::collection::vec(account, 0..8)
}

/// What stands once all were told, in that order.
fn stands<'a>(told: impl IntoIterator<Item = &'a Account>) -> Option<Account> {
    let rank = |account: Account| EndRank::of(account.0, account.1);
    told.into_iter().fold(None, |standing, told| match rank(*told).outranks(standing.map(rank)) {
        true => Some(*told),
        false => standing,
    })
}

proptest! {
    #[test]
    fn the_same_rank_stands_in_whatever_order_accounts_come_and_however_often(
        (told, again) in accounts().prop_flat_map(|told| (Just(told.clone()), Just([told.clone(), told].concat()).prop_shuffle()))
    ) {
        let rank = |account: Option<Account>| account.map(|(code, status)| EndRank::of(code, status));
        prop_assert_eq!(rank(stands(&again)), rank(stands(&told)));
        // Of the gateway's own accounts the first stands; all others come to one and the same.
        if rank(stands(&told)) < Some(EndRank::GATEWAY) && stands(&told).is_some_and(|(code, _)| code.by() == EndedBy::Carrier) {
            prop_assert_eq!(stands(&again), stands(&told));
        }
    }

    #[test]
    fn it_does_not_matter_who_compares_first(one in accounts(), two in accounts(), three in accounts()) {
        let joined = |parts: &[&[Account]]| stands(parts.iter().filter_map(|part| stands(*part)).collect::<Vec<_>>().iter());
        prop_assert_eq!(joined(&[&one, &two, &three]), stands([one, two, three].concat().iter()));
    }

    #[test]
    fn of_the_carriers_accounts_the_most_final_one_stands(statuses in prop::collection::vec(prop::sample::select(ENDS.to_vec()), 1..6)) {
        let told: Vec<Account> = statuses.iter().map(|status| (EndCode::CarrierReported, *status)).collect();
        let most = statuses.into_iter().max_by_key(|status| finality(status)).unwrap();
        prop_assert_eq!(stands(&told), Some((EndCode::CarrierReported, most)));
    }
}
