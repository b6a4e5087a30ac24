//! Incidents as an engineer on call meets them, staged over real sockets: `why` names where in the chain each came from, and of two at
//! once both. What it says is held to places and evidence, never to times.

mod staged;

use std::time::Duration;

use actors::Fault;

use staged::{Disk, FINE, Incident, judge};

const SLOW_TOOL: &str =
    "greeting goodbye_en\nanswer call find_order {\"order\":\"A-17\"}\nanswer commentary_en\nanswer commentary_en";

macro_rules! incidents {
    ($($(#[$about:meta])* $name:ident: $incident:expr => $places:expr, $shows:expr;)*) => {
        $(
            $(#[$about])*
            #[actix_rt::test]
            async fn $name() {
                judge(stringify!($name), $incident, &$places, &$shows).await;
            }
        )*
    };
}

incidents! {
    a_call_that_nothing_happened_to_is_said_to_have_been_fine: FINE => [], [];

    a_model_that_thinks_for_long_is_named:
        Incident { model: &["slow-ms=3000"], ..FINE } => ["model"], ["slow to answer", "generating"];
    a_model_that_is_far_away_is_the_networks:
        Incident { model: &["network-ms=700"], ..FINE } => ["network"], ["round trip"];
    a_function_that_takes_its_time_is_named:
        Incident { script: SLOW_TOOL, tool: Some(Duration::from_secs(4)), ..FINE } => ["tool"], ["find_order"];
    a_thread_that_stands_still_is_ours:
        Incident { inject: &[Fault::BlockCall, Fault::BlockCall], ..FINE } => ["us"], ["stood still"];
    a_line_that_loses_sound_is_the_carriers:
        Incident { rude: |rude| rude.lost = 0.08, ..FINE } => ["carrier"], ["messages never came"];
    a_model_that_is_deaf_is_named:
        Incident { model: &["mute"], is_ended: true, ..FINE } => ["model"], ["answered nothing"];
    a_key_that_is_refused_is_the_providers_word:
        Incident { model: &["refuse-handshake=401"], is_ended: true, ..FINE } => ["model"], ["does not know the key", "unauthorized"];
    a_rate_limit_is_the_providers_word:
        Incident { model: &["fail-response=2:rate_limit_exceeded"], ..FINE } => ["model"], ["rate limit", "rate_limit_exceeded"];
    a_session_that_expires_is_named:
        Incident { model: &["expire-after-ms=4500"], is_mended: true, ..FINE } => ["model"], ["session_expired"];
    a_part_of_ours_that_panics_is_ours:
        Incident { inject: &[Fault::PanicCall], ..FINE } => ["us"], ["CallActor", "panicked"];
    a_spool_without_room_is_the_disks:
        Incident { disk: Some(Disk::Spool), ..FINE } => ["disk"], ["spool", "nothing was recorded"];
    a_database_whose_disk_is_full_is_the_disks:
        Incident { disk: Some(Disk::Database), ..FINE } => ["disk"], ["no room"];
    a_database_that_is_away_is_named:
        Incident { is_away: true, ..FINE } => ["database"], ["took nothing"];

    a_model_that_thinks_for_long_and_a_function_that_takes_its_time_are_both:
        Incident { script: SLOW_TOOL, tool: Some(Duration::from_secs(4)), model: &["slow-ms=3200"], seed: 41, ..FINE }
        => ["model", "tool"], ["slow to answer", "find_order"];
    a_model_that_is_far_away_on_a_lossy_line_is_both:
        Incident { model: &["network-ms=600"], rude: |rude| rude.lost = 0.1, seed: 43, ..FINE }
        => ["carrier", "network"], ["round trip", "messages never came"];
    a_model_that_thinks_for_long_and_a_panic_are_both:
        Incident { model: &["slow-ms=3500"], inject: &[Fault::PanicCall], seed: 47, ..FINE }
        => ["model", "us"], ["slow to answer", "panicked"];
    a_lossy_line_of_another_seed_with_a_rate_limit_is_both:
        Incident { model: &["fail-response=1:rate_limit_exceeded"], rude: |rude| rude.lost = 0.1, seed: 23, ..FINE }
        => ["carrier", "model"], ["messages never came", "rate_limit_exceeded"];
    a_function_that_takes_its_time_and_a_panic_of_the_models_leg_are_both:
        Incident { script: SLOW_TOOL, tool: Some(Duration::from_secs(6)), inject: &[Fault::PanicModel], seed: 5, ..FINE }
        => ["tool", "us"], ["find_order", "ModelLeg"];
    a_full_database_and_a_panic_are_both:
        Incident { disk: Some(Disk::Database), inject: &[Fault::PanicCall], seed: 7, ..FINE }
        => ["us", "disk"], ["no room", "panicked"];
    a_database_that_is_away_and_a_function_that_takes_its_time_are_both:
        Incident { script: SLOW_TOOL, tool: Some(Duration::from_secs(5)), is_away: true, seed: 11, ..FINE }
        => ["tool", "database"], ["find_order", "took nothing"];
    a_deaf_model_on_a_lossy_line_is_both:
        Incident { model: &["mute"], is_ended: true, rude: |rude| rude.lost = 0.1, seed: 13, ..FINE }
        => ["carrier", "model"], ["messages never came", "answered nothing"];
    a_session_that_expires_and_a_spool_without_room_are_both:
        Incident { model: &["expire-after-ms=5000"], is_mended: true, disk: Some(Disk::Spool), seed: 17, ..FINE }
        => ["model", "disk"], ["session_expired", "nothing was recorded"];
    connections_that_are_turned_away_are_the_providers:
        Incident { model: &["refuse-handshake=429"], is_ended: true, seed: 19, ..FINE } => ["model"], ["rate limit", "429"];
    a_thread_that_stands_still_on_a_lossy_line_is_both:
        Incident { inject: &[Fault::BlockCall, Fault::BlockCall], rude: |rude| rude.lost = 0.1, seed: 29, ..FINE }
        => ["carrier", "us"], ["messages never came", "stood still"];
    a_provider_without_quota_is_the_providers_word:
        Incident { model: &["fail-response=9:insufficient_quota"], is_ended: true, seed: 31, ..FINE } => ["model"], ["no money or quota"];
    a_provider_that_fails_and_a_database_that_is_away_are_both:
        Incident { model: &["fail-response=2:server_error"], is_away: true, seed: 37, ..FINE }
        => ["model", "database"], ["server_error", "took nothing"];
}
