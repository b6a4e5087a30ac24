//! A gateway of one worker, with what it records.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use actix_http::HttpService;
use actix_server::{Server, ServerHandle};
use actix_service::{Service, ServiceFactory, fn_factory, fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::{App, HttpRequest, HttpResponse, web};
use actors::{
    Admission, Admissions, Effects, FaultInjector, Join, JoinAnswer, JoinError, Limits, MediaEntry, MediaRefusal,
    ModelEndpoint, Recorder, Step, SupervisorEvent, Switchboard, answer_upgrade,
};
use protocol::call::end::Ended;
use protocol::call::fact::Fact;
use protocol::call::functions::Function;
use protocol::call::policy::{GreetedBy, Policy, Setup};
use protocol::ids::{CallSid, Secret};
use protocol::realtime::command::Tool;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use url::Url;

use crate::model::Model;

/// Facts and supervision as recorded, and refusals as told to the desk.
pub(crate) struct Book {
    facts: watch::Sender<Vec<(CallSid, Fact)>>,
    supervised: Mutex<Vec<(&'static str, Step)>>,
    refused: Mutex<Vec<(Option<CallSid>, String)>>,
    /// What is said to static calls.
    admits: Option<Admission>,
}

impl Recorder for Book {
    fn record(&self, call: &CallSid, _: SystemTime, fact: &Fact) {
        self.facts.send_modify(|facts| facts.push((call.clone(), fact.clone())));
    }

    fn supervised(&self, _: &CallSid, _: SystemTime, event: &SupervisorEvent<'_>) {
        self.supervised.lock().unwrap().push((event.actor, event.step));
    }
}

impl Admissions for Book {
    fn join(&self, _: Join) -> JoinAnswer {
        let answer =
            self.admits.clone().ok_or_else(|| JoinError::Denied("no active client has that number".to_owned()));
        Box::pin(async move {
            tokio::task::yield_now().await;
            answer
        })
    }

    fn refused(&self, call: Option<&CallSid>, why: &MediaRefusal) {
        self.refused.lock().unwrap().push((call.cloned(), why.to_string()));
    }
}

/// Given once, by a test that wants something done.
pub(crate) type Hands = Arc<OnceLock<Arc<dyn Effects>>>;

pub(crate) struct Gateway {
    pub(crate) board: Switchboard,
    pub(crate) faults: FaultInjector,
    pub(crate) address: SocketAddr,
    pub(crate) book: Arc<Book>,
    /// What does for calls that are admitted what they want done.
    pub(crate) hands: Hands,
    server: ServerHandle,
}

pub(crate) fn limits() -> Limits {
    let window = Duration::from_secs(10);
    Limits { max_calls: 50, restarts: 3, restart_window: window, gives_way_after: window }
}

pub(crate) fn admission(call: &str) -> Admission {
    let setup = Setup {
        instructions: "Be brief.".to_owned(),
        greeting: "Hello.".to_owned(),
        greeted_by: GreetedBy::Model,
        language: "en-IN".to_owned(),
        listening: protocol::call::policy::Listening::default(),
        speed: None,
        voice: None,
        tools: vec![Function::new(Tool {
            name: "look_up".to_owned(),
            description: String::new(),
            parameters: "{}".to_owned(),
        })],
        known: std::collections::BTreeMap::new(),
        context: None,
        destinations: Vec::new(),
        hold_words: Vec::new(),
        clips: std::sync::Arc::default(),
        secret_keys: false,
        closed: false,
    };
    Admission {
        call_sid: CallSid::new(call),
        client: "acme".to_owned(),
        max_concurrent: None,
        setup,
        // Longer than a test waits: a call that lost its way must not end by itself.
        policy: Arc::new(Policy { media_silence: Duration::from_secs(60), ..Policy::default() }),
        model: None,
        generation: 1,
        returns: None,
        effects: None,
    }
}

impl Gateway {
    pub(crate) async fn start(model: &Model) -> Self {
        Self::start_with(model, limits(), None).await
    }

    pub(crate) async fn start_with(model: &Model, limits: Limits, admits: Option<Admission>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        Self::start_on(listener, model, limits, admits)
    }

    /// Whose kernel keeps next to nothing of what a peer does not read.
    pub(crate) async fn start_narrow(model: &Model, limits: Limits) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(4_096).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(64).unwrap().into_std().unwrap();
        Self::start_on(listener, model, limits, None)
    }

    fn start_on(listener: std::net::TcpListener, model: &Model, limits: Limits, admits: Option<Admission>) -> Self {
        let endpoint = ModelEndpoint {
            url: Url::parse(&format!("ws://{}/v1/realtime", model.address)).unwrap(),
            key: Some(Secret::new("key")),
            model: "gpt-realtime-2.1".to_owned(),
        };
        let book = Arc::new(Book {
            facts: watch::channel(Vec::new()).0,
            supervised: Mutex::default(),
            refused: Mutex::default(),
            admits,
        });
        let (board, faults) = Switchboard::with_faults(endpoint, limits, book.clone(), book.clone());
        let (data, hands) = (web::Data::new(board.clone()), Hands::default());
        let of_test = web::Data::new(hands.clone());
        let app = move || {
            let app = App::new()
                .app_data(data.clone())
                .app_data(of_test.clone())
                .route("/admit/{call}", web::get().to(admit))
                .route("/media/{call}", web::get().to(by_token))
                .route("/media", web::get().to(by_start));
            map_config(app, |()| AppConfig::default())
        };
        let address = listener.local_addr().unwrap();
        let serve = move || {
            let upgraded = app.clone();
            let upgrade = fn_factory(move || {
                let routes = upgraded().new_service(());
                async move {
                    let routes = Rc::new(routes.await?);
                    Ok::<_, ()>(fn_service(move |(request, connection)| {
                        let answered = routes.call(request);
                        async move {
                            answer_upgrade(answered.await?.into(), connection).await.map_err(actix_web::Error::from)
                        }
                    }))
                }
            });
            HttpService::build().tcp_nodelay(true).upgrade(upgrade).h1(app()).tcp()
        };
        let server = Server::build().workers(1).disable_signals().listen("calls", listener, serve).unwrap();
        let server = server.run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { board, faults, address, book, hands, server: handle }
    }

    /// Admits on the test's own arbiter: the call has to move when its media socket comes.
    pub(crate) fn admit_elsewhere(&self, call: &str) {
        let admission = Admission { effects: self.hands.get().cloned(), ..admission(call) };
        assert!(!self.board.admit(admission).unwrap().replayed);
    }

    /// Admits on the arbiter of the media socket.
    pub(crate) async fn admit_here(&self, call: &str) {
        let mut tcp = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET /admit/{call} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Waits until the facts of a call are as asked.
    pub(crate) async fn until(&self, call: &str, what: &str, holds: impl Fn(&[Fact]) -> bool) -> Vec<Fact> {
        let sid = CallSid::new(call);
        let of_call = |facts: &[(CallSid, Fact)]| -> Vec<Fact> {
            facts.iter().filter(|(of, _)| *of == sid).map(|(_, fact)| fact.clone()).collect()
        };
        let mut facts = self.book.facts.subscribe();
        let held = crate::soon(what, facts.wait_for(|facts| holds(&of_call(facts)))).await;
        of_call(&held.unwrap())
    }

    pub(crate) fn facts(&self, call: &str) -> Vec<Fact> {
        let facts = self.book.facts.borrow();
        facts.iter().filter(|(of, _)| of.as_str() == call).map(|(_, fact)| fact.clone()).collect()
    }

    /// What the supervisor told of a kind of actor.
    pub(crate) fn supervised(&self, actor: &str) -> Vec<Step> {
        let told = self.book.supervised.lock().unwrap();
        told.iter().filter(|(of, _)| *of == actor).map(|(_, step)| *step).collect()
    }

    pub(crate) fn refusals(&self) -> Vec<String> {
        self.book.refused.lock().unwrap().iter().map(|(_, why)| why.clone()).collect()
    }

    /// Waits for the end of a call, and checks that it ended once and left nothing.
    pub(crate) async fn ended(&self, call: &str) -> Ended {
        let facts = self.until(call, "the end", |facts| facts.iter().any(|f| matches!(f, Fact::Ended(_)))).await;
        let sid = CallSid::new(call);
        crate::eventually("the call to leave", || self.board.phase(&sid).is_none()).await;
        let ends: Vec<_> =
            facts.iter().filter_map(|f| if let Fact::Ended(why) = f { Some(why) } else { None }).collect();
        assert_eq!(ends.len(), 1, "{ends:?}");
        ends[0].clone()
    }

    pub(crate) async fn stop(self) {
        self.server.stop(false).await;
    }
}

pub(crate) fn count(facts: &[Fact], which: impl Fn(&Fact) -> bool) -> usize {
    facts.iter().filter(|fact| which(fact)).count()
}

async fn admit(board: web::Data<Switchboard>, hands: web::Data<Hands>, call: web::Path<String>) -> HttpResponse {
    board.admit(Admission { effects: hands.get().cloned(), ..admission(&call) }).unwrap();
    HttpResponse::Ok().finish()
}

async fn by_token(
    board: web::Data<Switchboard>,
    call: web::Path<String>,
    request: HttpRequest,
) -> actix_web::Result<HttpResponse> {
    board.media(&request, MediaEntry::Token(CallSid::new(call.into_inner())))
}

async fn by_start(board: web::Data<Switchboard>, request: HttpRequest) -> actix_web::Result<HttpResponse> {
    board.media(&request, MediaEntry::Static)
}
