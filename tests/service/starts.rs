//! call-start and voicebot.

use protocol::ids::CallSid;

use super::support::{Answer, Gateway, incoming, sid, urlencoded};

fn stream_url(answer: &Answer) -> String {
    let after = answer.body.split_once("<Stream url=\"").expect("a stream").1;
    after.split_once('"').expect("a URL").0.to_owned()
}

#[actix_web::test]
async fn call_start_is_answered_with_the_greeting_and_the_stream() {
    let gateway = Gateway::start().await;
    let sid = sid();
    let answer = gateway.post("/exotel/call-start", &incoming(&sid)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/xml"));
    let url = stream_url(&answer);
    let token = gateway.token(&sid, Default::default());
    let prefix = token.split('.').next().unwrap();
    assert!(
        url.starts_with(&format!("ws://localhost:{}/exotel/media/{prefix}.", gateway.running.addr().port())),
        "{url}"
    );
    let expected = format!(
        "<Response><Say language=\"hi-IN\">नमस्ते, Asha &amp; Sons</Say><Stream url=\"{url}\" track=\"both_tracks\"/></Response>"
    );
    assert_eq!(answer.body, expected);
    assert!(answer.header("idempotent-replayed").is_none());

    let call = gateway.running.store().call(&CallSid::new(&sid)).await.unwrap().unwrap();
    assert_eq!(call.client.as_deref(), Some("Asha Clinic"));
    let parties = &call.call.parties;
    assert_eq!(parties.from.as_ref().unwrap().reveal(), "+919876543210");
    assert_eq!(parties.from_raw.as_ref().unwrap().reveal(), "09876543210");
    assert_eq!(parties.to.as_ref().unwrap().reveal(), "+918037091588");
    assert_eq!(gateway.running.switchboard().live(), 1);
    let audited = gateway.audited("webhook.call-start", "ok").await;
    assert_eq!(audited[0].payload["CallTo"], "08037091588");
    assert_eq!(audited[0].remote_addr.as_deref(), Some("127.0.0.1"));
    assert_eq!(audited[0].request_id.as_deref(), answer.header("x-request-id"));
    gateway.stop().await;
}

#[actix_web::test]
async fn the_model_is_dialled_before_any_media_socket_opens() {
    let gateway = Gateway::start().await;
    gateway.post("/exotel/call-start", &incoming(&sid())).await;
    let model = gateway.model.clone();
    super::support::eventually("a configured session", || async {
        model.sessions().iter().any(|session| session.configured)
    })
    .await;
    gateway.stop().await;
}

#[actix_web::test]
async fn every_kind_of_body_and_the_query_string_are_read_alike() {
    let gateway = Gateway::start().await;
    let (json, multipart, query) = (sid(), sid(), sid());
    let body = serde_json::json!({ "CallSid": json, "CallFrom": "09876543210", "CallTo": "+91 80 3709 1588", "Odd": [1, null] });
    let answer = gateway.post_raw("/exotel/call-start", "application/json", body.to_string().into_bytes()).await;
    assert_eq!(answer.status, 200, "{answer:?}");

    let mut body = String::new();
    for (name, value) in incoming(&multipart) {
        body += &format!("--b0\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body += "--b0--\r\n";
    let content_type = "multipart/form-data; boundary=b0";
    let answer = gateway.post_raw("/exotel/call-start", content_type, body.into_bytes()).await;
    assert_eq!(answer.status, 200, "{answer:?}");

    let answer = gateway.get("/exotel/call-start", &incoming(&query)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for sid in [json, multipart, query] {
        let call = gateway.running.store().call(&CallSid::new(&sid)).await.unwrap().unwrap().call;
        assert_eq!(call.parties.to.unwrap().reveal(), "+918037091588");
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn the_voicebot_url_answers_with_the_streams_url_alone() {
    let gateway = Gateway::start().await;
    let sid = sid();
    let answer = gateway.get("/exotel/voicebot", &incoming(&sid)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!(body.as_object().unwrap().len(), 1);
    assert!(body["url"].as_str().unwrap().contains("/exotel/media/"));
    let replay = gateway.post("/exotel/voicebot", &incoming(&sid)).await;
    assert_eq!(replay.body, answer.body);
    assert_eq!(replay.header("idempotent-replayed"), Some("true"));
    gateway.stop().await;
}

#[actix_web::test]
async fn the_same_call_start_many_times_at_once_starts_one_call() {
    let gateway = Gateway::start().await;
    let sid = sid();
    let form = incoming(&sid);
    // More than a caller may place in a minute: a repeat is no new call.
    let answers = futures_util::future::join_all((0..24).map(|_| gateway.post("/exotel/call-start", &form))).await;
    let firsts = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_none()).count();
    assert_eq!(firsts, 1);
    for answer in &answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body, answers[0].body);
    }
    assert_eq!(gateway.running.switchboard().live(), 1);
    assert_eq!(gateway.running.store().recent_calls(10).await.unwrap().len(), 1);
    gateway.stop().await;
}

#[actix_web::test]
async fn the_public_base_url_is_the_streams() {
    let gateway =
        Gateway::start_with(|args| args.public_base_url = Some("https://calls.example.in/gate/".to_owned())).await;
    let answer = gateway.post("/exotel/call-start", &incoming(&sid())).await;
    assert!(stream_url(&answer).starts_with("wss://calls.example.in/gate/exotel/media/"), "{}", answer.body);
    gateway.stop().await;
}

#[actix_web::test]
async fn one_number_has_many_spellings() {
    let gateway = Gateway::start().await;
    for to in ["+918037091588", "918037091588", "08037091588", "8037091588", "+91 80-3709-1588", " 918037091588"] {
        let sid = sid();
        // Each from another caller, so that the rate limit is out of the way.
        let from = format!("+9198765432{:02}", to.len());
        let answer = gateway.post("/exotel/voicebot", &[("CallSid", &sid), ("From", &from), ("To", to)]).await;
        assert_eq!(answer.status, 200, "{to}: {answer:?}");
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn a_call_that_was_reported_over_is_refused_in_words_and_has_no_session() {
    let gateway = Gateway::start().await;
    let sid = sid();
    let ended = gateway.post("/exotel/call-end", &[("CallSid", &sid), ("Status", "completed")]).await;
    assert_eq!(ended.status, 200, "{ended:?}");
    for hook in ["/exotel/call-start", "/exotel/voicebot"] {
        let error = gateway.post(hook, &incoming(&sid)).await.refused(409, "call_over");
        assert!(error["message"].as_str().unwrap().contains("the call is over"), "{error}");
    }
    assert_eq!(gateway.running.switchboard().live(), 0);
    assert!(gateway.model.sessions().is_empty());
    let call = gateway.running.store().call(&CallSid::new(&sid)).await.unwrap().unwrap().call;
    assert_eq!((call.status.as_str(), call.client_id), ("completed", Some(gateway.tenant.id)));
    gateway.stop().await;
}

#[actix_web::test]
async fn a_signed_get_signs_its_query_string_without_the_key() {
    let gateway = Gateway::start().await;
    let sid = sid();
    let query = urlencoded(&incoming(&sid));
    let signature = super::support::sign(query.as_bytes());
    let path = format!("/exotel/voicebot?key=not-listed-as-it-is-wrong&{query}");
    let request = gateway.request(reqwest::Method::GET, &path).header("x-exotel-signature", signature);
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    gateway.stop().await;
}
