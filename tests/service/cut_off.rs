//! A gateway that lives and is cut off from the database.

use std::net::SocketAddr;

use callgate::testing::EventsTarget;
use futures_util::SinkExt;
use protocol::call::end::EndCode;
use protocol::ids::{CallSid, Secret};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;

use super::media::is_closed;
use super::streams::{has_left, live, row, stop, stream_path, voicebot};
use super::support::{Gateway, eventually, sid};
use super::work::neighbour;

/// The line from a gateway to its database. While it is cut nothing gets through, and neither end is told.
struct Line {
    url: String,
    whole: watch::Sender<bool>,
}

impl Line {
    async fn to(database: &str) -> Self {
        let mut url: url::Url = database.parse().unwrap();
        let server = (url.host_str().unwrap().to_owned(), url.port().unwrap());
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let (whole, sees) = watch::channel(true);
        actix_rt::spawn(async move {
            while let Ok((gateway, _)) = listener.accept().await {
                let (server, sees) = (server.clone(), sees.clone());
                actix_rt::spawn(async move {
                    let Ok(server) = TcpStream::connect(server).await else { return };
                    let ((hears, says), (asks, told)) = (server.into_split(), gateway.into_split());
                    tokio::select! {
                        () = carry(hears, told, sees.clone()) => {}
                        () = carry(asks, says, sees) => {}
                    }
                });
            }
        });
        Self { url: url.into(), whole }
    }

    fn cut(&self) {
        self.whole.send_replace(false);
    }

    fn mend(&self) {
        self.whole.send_replace(true);
    }
}

async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut whole: watch::Receiver<bool>) {
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        if whole.wait_for(|whole| *whole).await.is_err() || to.write_all(&piece[..read]).await.is_err() {
            return;
        }
    }
}

#[actix_web::test]
async fn a_gateway_cut_off_from_the_database_loses_its_call_to_the_one_its_caller_came_back_to_without_a_word() {
    let (host, heard) = neighbour();
    let there = Gateway::start().await;
    let target = EventsTarget { url: format!("http://{host}/events"), secret: Secret::new("whsec_0123456789") };
    assert!(there.running.store().set_events_target(there.tenant.id, Some(target)).await.unwrap());
    let line = Line::to(&there.database.url).await;
    let url = line.url.clone();
    let cut_off = Gateway::start_with(|args| args.database_url = url).await;
    let sid = sid();
    let call = CallSid::new(&sid);
    let mut left = live(&cut_off, &stream_path(&voicebot(&cut_off, &sid).await), &sid).await;
    let had = row(&cut_off, &sid).await.ownership;

    line.cut();
    // What happens now has to be written.
    let key = r##"{"event":"dtmf","stream_sid":"st1","dtmf":{"digit":"#"}}"##;
    left.send(Message::text(key)).await.unwrap();
    let socket = live(&there, &stream_path(&voicebot(&there, &sid).await), &sid).await;
    let has = row(&there, &sid).await.ownership;
    assert_ne!(has.owner, had.owner);
    assert_eq!((has.generation, has.streams), (had.generation + 1, 2));
    // It cannot know: the call goes on there, too.
    assert_eq!(cut_off.running.switchboard().phase(&call), Some(actors::Phase::Live));

    line.mend();
    assert!(is_closed(&mut left).await, "it finds out, and gives its part up");
    has_left(&cut_off, &sid).await;
    let goes_on = row(&there, &sid).await;
    assert_eq!((goes_on.status.as_str(), goes_on.ended_code, goes_on.ownership), ("in-progress", None, has.clone()));
    assert_eq!(there.running.switchboard().phase(&call), Some(actors::Phase::Live));
    stop(socket, "callended").await;
    has_left(&there, &sid).await;
    let over = there.running.store().call(&call).await.unwrap().unwrap();
    assert_eq!((over.call.ended_code, over.call.ownership), (Some(EndCode::CallerHungUp), has));
    assert_eq!(over.call.figures.turn_count, Some(i32::try_from(over.turns.len()).unwrap()), "{:?}", over.turns);
    assert_eq!(there.running.store().recent_calls(9).await.unwrap().len(), 1);
    let ends = || heard.lock().unwrap().iter().filter(|event| event["type"] == "call.ended").count();
    eventually("the end is told", || async { ends() > 0 }).await;
    assert_eq!((ends(), there.audited("call.end", "taken_over").await.len()), (1, 0));
    cut_off.stop().await;
    there.stop().await;
}
