use super::*;

const WAIT: Duration = Duration::from_secs(20);
const OLD: Duration = Duration::from_secs(10);

fn seats(max_calls: usize) -> Seats {
    let limits = Limits { max_calls, restarts: 3, restart_window: Duration::from_secs(10), gives_way_after: OLD };
    Seats::new(limits, Arc::new(Meters::new()))
}

fn call(n: usize) -> CallSid {
    CallSid::new(format!("c{n}"))
}

fn asked(client: &str) -> Asked<'_> {
    Asked { client, max_concurrent: None, wait: Some(WAIT) }
}

#[test]
fn on_a_small_node_every_call_may_wait_and_on_a_large_one_a_quarter() {
    let shares = [1, 2, 7, 8, 10, 32, 40, 1000].map(share);
    assert_eq!(shares, [1, 2, 7, 8, 8, 8, 10, 250]);
}

#[test]
fn whatever_call_starts_without_media_an_honest_caller_is_admitted() {
    let (seats, start) = (seats(1000), Instant::now());
    let mut taken: HashMap<CallSid, Seat> = HashMap::new();
    let leave = |taken: &mut HashMap<CallSid, Seat>, sid: &CallSid, now| {
        let seat = taken.remove(sid).expect("a call that is here");
        seats.leave("rude", &seat, now);
    };
    let mut refused = 0;
    for n in 0..17 * 300_usize {
        let now = start + Duration::from_secs(n as u64) / 17;
        match seats.take(&call(n), asked("rude"), now) {
            Ok(Taken { seat, gives_way, .. }) => {
                taken.insert(call(n), seat);
                if let Some(sid) = gives_way {
                    leave(&mut taken, &sid, now);
                }
            }
            Err(_) => refused += 1,
        }
        // Those that nobody drove out wait to their end.
        let over: Vec<_> = taken.iter().filter(|(_, seat)| seat.due.is_some_and(|due| due <= now)).collect();
        let over: Vec<_> = over.into_iter().map(|(sid, _)| sid.clone()).collect();
        over.iter().for_each(|sid| leave(&mut taken, sid, now));
        if n % 17 == 0 {
            let honest = call(1_000_000 + n);
            let Taken { seat, gives_way, .. } = seats.take(&honest, asked("honest"), now).expect("a place");
            if let Some(sid) = gives_way {
                leave(&mut taken, &sid, now);
            }
            assert!(seats.seated("honest", &seat));
            seats.leave("honest", &seat, now);
        }
        assert!(seats.live() <= 250, "the seats of those who talk are not touched");
    }
    assert_eq!(refused, 0);
}

#[test]
fn the_client_that_has_most_waiting_gives_way_and_its_longest_waiting_call() {
    let (seats, start) = (seats(8), Instant::now());
    let quiet = seats.take(&call(0), asked("quiet"), start).unwrap();
    let rude: Vec<_> =
        (1..8).map(|n| seats.take(&call(n), asked("rude"), start + Duration::from_secs(n as u64)).unwrap()).collect();
    let early = start + Duration::from_millis(9_900);
    assert_eq!(seats.take(&call(9), asked("honest"), early).err(), Some(Refusal::Full), "nobody waited for long");
    let taken = seats.take(&call(9), asked("honest"), start + Duration::from_secs(12)).unwrap();
    assert_eq!(taken.gives_way, Some(call(1)));
    assert!(!seats.seated("rude", &rude[0].seat), "its stream comes too late");
    assert!(seats.seated("quiet", &quiet.seat), "and this one in time");
    assert_eq!(seats.live(), 8);
    seats.leave("rude", &rude[0].seat, start + Duration::from_secs(12));
    assert_eq!(seats.live(), 8, "its place was free already");
}

#[test]
fn who_has_left_frees_the_place_at_once_and_the_node_is_empty_when_all_is_said() {
    let (seats, now) = (seats(2), Instant::now());
    let first = seats.take(&call(0), asked("a"), now).unwrap().seat;
    assert!(seats.seated("a", &first));
    seats.vacate("a", &first, now);
    seats.vacate("a", &first, now);
    assert_eq!(seats.live(), 0);
    assert!(!lock(&seats.counts).is_empty());
    let second = seats.take(&call(1), asked("a"), now).unwrap().seat;
    assert!(seats.seated("a", &second));
    seats.vacate("a", &second, now);
    assert_eq!(seats.live(), 1, "too many wait for last words");
    seats.leave("a", &first, now);
    seats.leave("a", &second, now);
    assert!(lock(&seats.counts).is_empty());
}

#[test]
fn nobody_gives_way_for_a_call_that_does_not_begin() {
    let (seats, start) = (seats(1), Instant::now());
    let waits = seats.take(&call(0), asked("a"), start).unwrap().seat;
    let in_vain = seats.take(&call(1), asked("b"), start + OLD).unwrap();
    assert_eq!(in_vain.gives_way, Some(call(0)));
    seats.give_back("b", &in_vain);
    assert_eq!(seats.live(), 1);
    assert_eq!(seats.take(&call(2), asked("b"), start).err(), Some(Refusal::Full), "the place is taken");
    assert!(seats.seated("a", &waits), "its stream finds its place");
    seats.leave("a", &waits, start + OLD);
    // One that is gone by then has no place any more.
    let gone = seats.take(&call(3), asked("a"), start).unwrap().seat;
    let in_vain = seats.take(&call(4), asked("b"), start + OLD).unwrap();
    seats.leave("a", &gone, start + OLD);
    seats.give_back("b", &in_vain);
    let counts = lock(&seats.counts);
    assert!(counts.clients.is_empty() && counts.is_empty());
    assert_eq!((counts.live, counts.waiting), (0, 0));
}

#[test]
fn one_who_gives_way_is_counted_out_once() {
    let (seats, start) = (seats(1), Instant::now());
    let mut here = seats.take(&call(0), asked("a"), start).unwrap().seat;
    for n in 1..100 {
        let now = start + OLD * u32::try_from(n).unwrap();
        let taken = seats.take(&call(n), asked("a"), now).unwrap();
        assert_eq!(taken.gives_way, Some(call(n - 1)));
        assert_eq!(seats.take(&call(1000), asked("a"), now).err(), Some(Refusal::Full));
        seats.leave("a", &here, now);
        here = taken.seat;
        assert_eq!(seats.live(), 1);
    }
    assert!(seats.seated("a", &here));
    let late = start + OLD * 1000;
    assert_eq!(seats.take(&call(1000), asked("a"), late).err(), Some(Refusal::Full), "who talks never gives way");
    seats.leave("a", &here, late);
    let counts = lock(&seats.counts);
    assert!(counts.clients.is_empty() && counts.is_empty());
    assert_eq!((counts.live, counts.waiting), (0, 0));
}

#[test]
fn a_clients_own_waiting_calls_are_a_share_of_its_own_and_give_way_to_its_own() {
    let (seats, start) = (seats(1000), Instant::now());
    let of_client = Asked { max_concurrent: Some(40), ..asked("small") };
    for n in 0..10 {
        seats.take(&call(n), of_client, start).unwrap();
    }
    assert_eq!(seats.take(&call(10), of_client, start).err(), Some(Refusal::ClientFull));
    let here = Asked { wait: None, ..of_client };
    assert!(seats.take(&call(11), here, start).is_ok(), "one whose stream is here does not wait");
    assert!(seats.take(&call(12), asked("another"), start).is_ok());
    let taken = seats.take(&call(13), of_client, start + OLD).unwrap();
    assert_eq!(taken.gives_way, Some(call(0)));
}

#[test]
fn greetings_are_had_early_only_while_few_wait() {
    let (seats, now) = (seats(40), Instant::now());
    let early: Vec<_> = (0..10).map(|n| seats.take(&call(n), asked("a"), now).unwrap().few_wait).collect();
    assert_eq!(early, [[true; 5], [false; 5]].concat());
    let one = self::seats(1);
    assert!(one.take(&call(0), asked("a"), now).unwrap().few_wait, "on the smallest node too");
}

#[test]
fn people_are_told_once_a_minute_that_calls_end_without_media() {
    let (mut alarm, start) = (Alarm::default(), Instant::now());
    let told = |alarm: &mut Alarm, from: u64, to: u64| {
        (from..to).filter(|n| alarm.without(start + Duration::from_millis(*n * 100))).count()
    };
    assert_eq!(told(&mut alarm, 0, 4), 0, "a few happen");
    assert_eq!(told(&mut alarm, 4, 600), 1);
    assert_eq!(told(&mut alarm, 600, 1200), 1);
    alarm.heard = 10_000;
    assert_eq!(told(&mut alarm, 1200, 1201), 0);
    alarm.heard = 10_000;
    assert_eq!(told(&mut alarm, 1201, 1799), 0, "of very many");
}
