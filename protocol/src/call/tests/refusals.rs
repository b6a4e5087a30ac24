//! What a server will not do, and how it says so.

use super::*;
use crate::realtime::command::SessionConfig;
use crate::realtime::event_id::{EventId, EventKind};

impl Rig {
    /// The newest event of ours of that kind.
    fn newest(&self, kind: EventKind) -> EventId {
        let of_it = |output: &Output| match output {
            Output::Model(_, ModelCommand::Send(_, Some(id))) if id.kind == kind => Some(*id),
            _ => None,
        };
        self.said.iter().rev().find_map(of_it).expect("one was sent")
    }

    fn refuse(&mut self, conn: u32, event_id: Option<&str>, code: &str, param: Option<&str>) {
        let (code, message) = (code.to_owned(), "no".to_owned());
        let (event_id, param) = (event_id.map(str::to_owned), param.map(str::to_owned));
        let error = ServerError { code, message, event_id, param, ..ServerError::default() };
        self.server(conn, ServerEvent::Error(error));
    }

    /// Refuses the newest event of that kind by its name.
    fn refuse_newest(&mut self, conn: u32, kind: EventKind, code: &str) {
        let id = self.newest(kind).to_string();
        self.refuse(conn, Some(&id), code, None);
    }

    fn configs(&self) -> Vec<&SessionConfig> {
        let sent = self.sent().into_iter();
        sent.filter_map(|event| if let ClientEvent::SessionUpdate(config) = event { Some(&**config) } else { None })
            .collect()
    }

    /// What was counted, once the call is over.
    fn counted_in_all(mut self, what: &str) -> u64 {
        self.caller(CallerEvent::Gone);
        self.counted(what)
    }
}

/// A live call in which the caller was answered, cut in, and pressed a key: of every kind something was sent.
fn of_everything() -> Rig {
    let mut rig = Rig::new(GreetedBy::Carrier);
    rig.ready(1);
    rig.start_media();
    rig.response_created(1, "r1");
    rig.response_created(1, "r0");
    rig.audio(1, &key("r1", "a1"), 1_000);
    rig.pass(400);
    rig.caller_turn(1, "u1");
    rig.response_done(1, "r1", ResponseStatus::Cancelled);
    rig.response_done(1, "r0", ResponseStatus::Cancelled);
    rig.caller(CallerEvent::Dtmf('5'));
    rig.wait(3_000);
    rig
}

#[test]
fn a_refusal_of_what_nobody_waits_for_is_counted_and_costs_nothing() {
    for (kind, counted) in [
        (EventKind::Item, "item_refused"),
        (EventKind::Truncate, "truncate_refused"),
        (EventKind::Cancel, "cancel_refused"),
        (EventKind::Update, "update_refused"),
    ] {
        let mut rig = of_everything();
        let id = rig.newest(kind);
        rig.take();
        for _ in 0..20 {
            rig.refuse(1, Some(&id.to_string()), "server_error", None);
        }
        assert_eq!((rig.dialled().len(), rig.asked(), rig.ended()), (0, 0, None), "{kind:?}");
        let told = rig.facts().iter().all(|fact| match fact {
            Fact::ModelError { answers, .. } => *answers == Some(kind),
            _ => true,
        });
        assert!(told, "{kind:?}: the record says what was refused");
        assert_eq!(rig.counted_in_all(counted), 20, "{kind:?}");
    }
}

#[test]
fn a_refused_request_for_a_response_is_made_again_and_nobody_waits_for_an_answer_that_will_not_come() {
    let mut rig = of_everything();
    rig.refuse_newest(1, EventKind::Response, "server_error");
    rig.take();
    rig.pass(480);
    assert_eq!(rig.asked(), 0);
    rig.pass(20);
    assert_eq!(rig.asked(), 1);
    for _ in 0..2 {
        rig.refuse_newest(1, EventKind::Response, "server_error");
        rig.pass(500);
    }
    let cause = "the response failed: server_error".to_owned();
    assert_eq!(rig.ended(), Some(&Ended::ModelFailed { cause }), "three in a row");
}

#[test]
fn a_greeting_that_is_refused_is_asked_for_again() {
    let mut rig = Rig::new(GreetedBy::Model);
    rig.ready(1);
    rig.start_media();
    rig.refuse_newest(1, EventKind::Response, "invalid_value");
    rig.take();
    rig.pass(500);
    let greets = |event: &&ClientEvent| matches!(event, ClientEvent::CreateResponse { instructions: Some(_) });
    assert_eq!(rig.sent().into_iter().filter(greets).count(), 1, "with the greeting's words");
}

#[test]
fn a_response_that_is_refused_since_one_is_active_is_had_after_that_one() {
    for named in [true, false] {
        let mut rig = of_everything();
        let id = rig.newest(EventKind::Response).to_string();
        rig.take();
        rig.refuse(1, named.then_some(&id), "conversation_already_has_active_response", None);
        rig.pass(1_000);
        assert_eq!(rig.asked(), 0);
        rig.response_created(1, "r2");
        rig.response_done(1, "r2", ResponseStatus::Completed);
        assert_eq!(rig.asked(), 1, "named: {named}");
    }
}

#[test]
fn a_refusal_of_an_earlier_request_says_nothing_of_this_one() {
    for code in ["server_error", "conversation_already_has_active_response"] {
        let mut rig = of_everything();
        let earlier = rig.newest(EventKind::Response).to_string();
        rig.response_created(1, "r2");
        rig.response_done(1, "r2", ResponseStatus::Completed);
        rig.caller(CallerEvent::Dtmf('6'));
        rig.wait(3_000);
        rig.take();
        rig.refuse(1, Some(&earlier), code, None);
        rig.response_created(1, "r3");
        rig.response_done(1, "r3", ResponseStatus::Completed);
        rig.pass(2_000);
        assert_eq!((rig.asked(), rig.ended()), (0, None), "{code}");
    }
}

#[test]
fn what_is_named_in_a_refused_configuration_is_left_out_and_nothing_else() {
    let whole = || Setup {
        listening: Listening { transcription_language: Some("hi".to_owned()), ..Listening::default() },
        voice: Some("marin".to_owned()),
        ..setup(GreetedBy::Carrier)
    };
    // Language, transcription, noise reduction, tools, voice.
    let asks = |config: &SessionConfig| {
        [
            config.transcription_language.is_some(),
            config.transcription_model.is_some(),
            config.noise_reduction.is_some(),
            !config.tools.is_empty(),
            config.voice.is_some(),
        ]
    };
    for (param, code, left) in [
        ("session.audio.input.transcription.language", "invalid_value", [false, true, true, true, true]),
        ("session.audio.input.noise_reduction", "unknown_parameter", [true, true, false, true, true]),
        ("session.tools[0].name", "invalid_value", [true, true, true, false, true]),
        ("session.audio.output.voice", "invalid_value", [true, true, true, true, false]),
        ("", "cannot_update_voice", [true, true, true, true, false]),
        ("", "invalid_request_error", [false, true, true, true, true]),
        ("session.type", "unknown_parameter", [false, false, false, false, true]),
    ] {
        let mut rig = Rig::about(Policy::default(), whole());
        rig.opened(1);
        let id = rig.newest(EventKind::Update).to_string();
        let param = Some(param).filter(|param| !param.is_empty());
        rig.refuse(1, Some(&id), code, param);
        let last = rig.configs().last().map(|config| asks(config));
        assert_eq!(last, Some(left), "{param:?} {code}");
        // The same error once more, from a server that says things twice: it is about the first update.
        rig.refuse(1, Some(&id), code, param);
        assert_eq!(rig.configs().len(), 2, "{param:?} {code}");
        rig.server(1, ServerEvent::SessionUpdated { input: None, output: None, expires_at: None });
        rig.start_media();
        rig.closed(1);
        rig.take();
        rig.opened(2);
        let named = param.is_some_and(|param| param != "session.type") || code == "cannot_update_voice";
        let remembered = if named || param.is_none() { left } else { [true; 5] };
        assert_eq!(rig.configs().last().map(|config| asks(config)), Some(remembered), "{param:?}: and not asked again");
    }
}

#[test]
fn a_server_that_refuses_what_it_is_not_asked_for_any_more_is_given_up() {
    let mut rig = Rig::new(GreetedBy::Carrier);
    rig.opened(1);
    for _ in 0..2 {
        let id = rig.newest(EventKind::Update).to_string();
        assert_eq!(rig.ended(), None);
        rig.refuse(1, Some(&id), "unknown_parameter", Some("session.audio.input.noise_reduction"));
    }
    assert!(matches!(rig.ended(), Some(Ended::ModelFailed { cause }) if cause.contains("session.update")));
}

#[test]
fn a_name_that_is_not_ours_says_no_more_than_none() {
    // Servers of their own, names of another connection, and such as were not given yet.
    for name in [None, Some(""), Some("event_TODO"), Some("cg-update-4000"), Some("cg-response-4000")] {
        let mut rig = Rig::new(GreetedBy::Carrier);
        rig.opened(1);
        rig.refuse(1, name, "unknown_parameter", None);
        assert_eq!(rig.configs().len(), 2, "{name:?}: it can only be the configuration");
        let mut rig = of_everything();
        rig.take();
        (0..4).for_each(|_| rig.refuse(1, name, "server_error", None));
        assert_eq!(rig.dialled().len(), 0);
        rig.refuse(1, name, "server_error", None);
        assert_eq!(rig.dialled(), [2], "{name:?}: a session that does nothing but fail");
    }
    let mut rig = of_everything();
    let earlier = rig.newest(EventKind::Item).to_string();
    rig.closed(1);
    rig.ready(2);
    rig.take();
    (0..5).for_each(|_| rig.refuse(2, Some(&earlier), "server_error", None));
    rig.pass(300);
    assert_eq!(rig.dialled(), [3], "this session was never told that");
}

#[test]
fn what_ends_a_session_ends_it_whatever_it_answers() {
    let mut rig = of_everything();
    rig.refuse_newest(1, EventKind::Item, "session_expired");
    assert_eq!(rig.dialled().last(), Some(&2));
    let mut rig = of_everything();
    rig.refuse_newest(1, EventKind::Response, "insufficient_quota");
    assert!(matches!(rig.ended(), Some(Ended::ModelFailed { .. })));
}
