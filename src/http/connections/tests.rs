use super::*;

const OF_ONE: usize = 10;
const STRANGERS: usize = 40;
const ALL: usize = 60;

fn connections() -> Connections {
    Connections::new(Bounds {
        all: ALL,
        strangers: STRANGERS,
        of_one_address: OF_ONE,
        patience: Duration::from_secs(8),
        grace: Duration::from_secs(1),
    })
}

fn ip(last: u8) -> IpAddr {
    IpAddr::from([203, 0, 113, last])
}

/// So many of one address, a ms apart.
fn flood(connections: &Connections, address: IpAddr, count: u64, from: Instant) -> Vec<Held> {
    let at = |i| from + Duration::from_millis(i);
    (0..count).map(|i| connections.open(address, false, at(i)).unwrap()).collect()
}

#[test]
fn an_address_that_holds_many_idle_connections_loses_its_oldest_and_keeps_nobody_out() {
    let connections = connections();
    let now = Instant::now();
    let old = flood(&connections, ip(1), OF_ONE as u64, now);
    let other = connections.open(ip(2), false, now).unwrap();
    let later = now + Duration::from_secs(2);
    let next = connections.open(ip(1), false, later).unwrap();
    assert!(old[0].is_closing() && !old[1].is_closing() && !next.is_closing() && !other.is_closing());
    assert_eq!(connections.count(), (OF_ONE + 1, 0));
}

#[test]
fn a_burst_of_the_carriers_own_is_not_cut_while_its_requests_are_on_the_way() {
    let connections = connections();
    let burst = flood(&connections, ip(1), 3 * OF_ONE as u64, Instant::now());
    assert!(burst.iter().all(|one| !one.is_closing()));
}

#[test]
fn strangers_have_a_share_and_at_its_end_the_oldest_idle_one_goes() {
    let connections = connections();
    let now = Instant::now();
    let many: Vec<_> =
        (0..STRANGERS).map(|i| connections.open(ip(u8::try_from(i).unwrap()), false, now).unwrap()).collect();
    let busy = many[0].begin();
    let _next = connections.open(ip(200), false, now).unwrap();
    assert!(!many[0].is_closing(), "its request is being answered");
    assert!(many[1].is_closing());
    drop(busy);
    let _after = connections.open(ip(201), false, now).unwrap();
    assert!(many[0].is_closing());
    assert_eq!(connections.count().0, STRANGERS);
}

#[test]
fn what_has_authenticated_is_not_judged_by_its_address() {
    let connections = connections();
    let now = Instant::now();
    let known: Vec<_> = (0..ALL - OF_ONE)
        .map(|i| {
            let one = connections.open(ip(1), false, now + Duration::from_secs(i as u64)).unwrap();
            one.authenticated();
            one
        })
        .collect();
    let later = now + Duration::from_secs(3600);
    flood(&connections, ip(1), 100, later);
    connections.close_idle(later);
    assert!(known.iter().all(|one| !one.is_closing()), "strangers go first");
    assert!(connections.count().0 <= OF_ONE);
}

#[test]
fn when_all_are_in_use_an_idle_one_gives_way_and_a_stream_never_does() {
    let connections = connections();
    let now = Instant::now();
    let open = |trusted| connections.open(ip(1), trusted, now);
    let mut known: Vec<_> = (0..ALL).map(|_| open(true).unwrap()).collect();
    known[1..].iter().for_each(|one| one.begin().for_good());
    let next = open(false).unwrap();
    assert!(known[0].is_closing(), "the one that is idle");
    let _busy = next.begin();
    assert_eq!(open(false).err(), Some(Full));
    assert!(known[1..].iter().all(|one| !one.is_closing()));
    known.pop();
    assert!(open(false).is_ok());
}

#[test]
fn a_stranger_has_some_seconds_and_whoever_authenticated_has_more() {
    let connections = connections();
    let now = Instant::now();
    let (stranger, known) =
        (connections.open(ip(1), false, now).unwrap(), connections.open(ip(1), false, now).unwrap());
    known.authenticated();
    connections.close_idle(now + Duration::from_secs(7));
    assert!(!stranger.is_closing());
    connections.close_idle(now + Duration::from_secs(9));
    assert!(stranger.is_closing() && !known.is_closing());
}

#[test]
fn nothing_is_kept_of_a_connection_that_is_gone() {
    let connections = connections();
    let now = Instant::now();
    for i in 0..1000_u64 {
        let one = connections.open(ip((i % 250) as u8), i % 3 == 0, now + Duration::from_secs(i)).unwrap();
        if i % 2 == 0 {
            one.authenticated();
        }
        if i % 5 == 0 {
            connections.give_up_one();
        }
        let kept = Arc::downgrade(&one);
        drop(one);
        assert_eq!(kept.strong_count(), 0);
    }
    let open = connections.0.lock();
    assert_eq!((open.strangers.len(), open.known.len(), open.by_address.len(), open.closing), (0, 0, 0, 0));
}

#[test]
fn the_bounds_leave_files_for_dials_and_the_database_however_few_there_are() {
    for files in [0, 64, 256, 1024, 4096, 65_536, u64::MAX] {
        for calls in [1, 100, 1000, 1_000_000] {
            let bounds = Bounds::of_node(files, calls);
            assert!(bounds.of_one_address <= bounds.strangers && bounds.strangers <= bounds.all, "{files} {calls}");
            if files >= 1024 {
                let usable = usize::try_from(files - files::KEPT).unwrap_or(usize::MAX);
                let for_calls = (bounds.all - bounds.strangers).min(calls);
                assert!(bounds.all + for_calls <= usable + 1, "{files} {calls} {bounds:?}");
            }
        }
    }
    let roomy = Bounds::of_node(65_536, 1000);
    assert!(roomy.all - roomy.strangers >= 1000, "as many media sockets as calls: {roomy:?}");
}

#[actix_web::test]
async fn a_socket_that_is_told_to_close_reads_its_end() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    let connections = connections();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (socket, address) = listener.accept().await.unwrap();
    let mut watched = Watched::new(socket, connections.open(address.ip(), false, Instant::now()).unwrap());
    peer.write_all(b"ab").await.unwrap();
    let mut bytes = [0; 2];
    watched.read_exact(&mut bytes).await.unwrap();
    let reading = actix_rt::spawn(async move {
        let mut rest = Vec::new();
        watched.read_to_end(&mut rest).await.unwrap();
        rest
    });
    tokio::task::yield_now().await;
    assert!(connections.give_up_one());
    assert_eq!(reading.await.unwrap(), b"");
    connections.emptied().await;
    assert_eq!(peer.read(&mut bytes).await.unwrap(), 0, "the peer sees it closed");
}
