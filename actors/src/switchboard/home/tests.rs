use std::thread;

use proptest::prelude::*;

use super::*;

/// Actors and sockets have numbers, and so has what actors are told.
type Numbered = Home<u32, u32, u32>;

/// Two arbiters' threads.
fn threads() -> [ThreadId; 2] {
    let other = thread::spawn(|| thread::current().id());
    [thread::current().id(), other.join().unwrap()]
}

fn taken(caller: Caller<u32>, controls: impl Into<Vec<u32>>) -> Option<Taken<u32, u32>> {
    Some(Taken { last: Vec::new(), caller, controls: controls.into() })
}

const NOBODY: Caller<u32> = Caller::Awaited;

/// A call whose actor 1 runs on the first thread.
fn running(threads: [ThreadId; 2]) -> Numbered {
    let mut home = Numbered::new();
    assert_eq!(home.take(1, threads[0], false), taken(NOBODY, []));
    home
}

/// A call without an actor: its first one died.
fn between(threads: [ThreadId; 2]) -> Numbered {
    let mut home = running(threads);
    assert!(home.withdraw(&1));
    home
}

/// A call whose socket 7 is on the second thread, to which it is on its way.
fn moving(threads: [ThreadId; 2]) -> Numbered {
    let mut home = running(threads);
    assert_eq!(home.start(7, threads[1]), Started::Elsewhere(1));
    home
}

#[test]
fn a_control_goes_to_the_actor_or_waits_for_the_next_one() {
    let threads = threads();
    assert_eq!(running(threads).control(5), Routed::To(1, 5));
    for mut home in [Numbered::new(), between(threads), moving(threads)] {
        assert_eq!((home.control(5), home.actor()), (Routed::Held, None));
    }
}

#[test]
fn what_waited_is_told_to_the_next_actor_once_and_in_order() {
    let threads = threads();
    for (mut home, arriving, thread) in [(between(threads), false, threads[0]), (moving(threads), true, threads[1])] {
        (5..8).for_each(|control| assert_eq!(home.control(control), Routed::Held));
        let caller = home.caller.clone();
        assert_eq!(home.take(2, thread, arriving), taken(caller.clone(), [5, 6, 7]));
        assert!(home.withdraw(&2));
        assert_eq!(home.take(3, thread, false), taken(caller, []));
    }
}

#[test]
fn no_more_controls_wait_than_may() {
    let mut home = Numbered::new();
    let all: Vec<_> = (0..20).map(|control| home.control(control)).collect();
    assert!(all[..CONTROLS_HELD].iter().all(|routed| *routed == Routed::Held));
    assert!(all[CONTROLS_HELD..].iter().all(|routed| *routed == Routed::Dropped));
    assert_eq!(home.take(1, threads()[0], false).unwrap().controls, (0..16).collect::<Vec<_>>());
}

#[test]
fn a_socket_on_the_calls_own_thread_gets_its_actor() {
    let threads = threads();
    let mut home = running(threads);
    assert_eq!((home.phase(), home.start(7, threads[0])), (Phase::Waiting, Started::Here(1)));
    assert_eq!((home.phase(), home.caller(), home.actor()), (Phase::Live, Some(7), Some(1)));
}

#[test]
fn a_socket_on_another_thread_has_the_call_moved_to_it() {
    let threads = threads();
    let mut home = moving(threads);
    assert_eq!((home.phase(), home.actor()), (Phase::Live, None));
    assert_eq!(home.take(2, threads[0], false), None, "an actor where it was does not get it");
    assert!(!home.withdraw(&1), "its death there is nobody's concern");
    assert_eq!(home.take(2, threads[1], true), taken(Caller::Here(7), []));
    assert_eq!(home.control(5), Routed::To(2, 5));
    assert_eq!(home.take(3, threads[1], true), None, "it arrives once");
}

#[test]
fn a_call_that_is_taken_to_another_thread_while_it_restarts_comes_back_there() {
    let threads = threads();
    for socket_on in threads {
        let mut home = between(threads);
        assert_eq!(home.control(5), Routed::Held);
        assert_eq!(home.start(7, socket_on), Started::Nowhere);
        assert_eq!(home.control(6), Routed::Held);
        assert_eq!(home.take(2, threads[0], false), None, "the restart comes too late");
        assert_eq!(home.take(3, socket_on, true), taken(Caller::Here(7), [5, 6]));
    }
}

#[test]
fn an_actor_that_died_as_its_call_was_given_away_takes_nothing_along() {
    let threads = threads();
    let mut home = moving(threads);
    assert_eq!((home.withdraw(&1), home.control(5)), (false, Routed::Held));
    assert_eq!(home.take(2, threads[1], true), taken(Caller::Here(7), [5]));
    assert!(!home.withdraw(&1) && home.withdraw(&2));
}

#[test]
fn a_socket_that_goes_is_told_to_the_actor_or_to_the_next_one() {
    let threads = threads();
    let mut home = running(threads);
    assert_eq!(home.caller_gone(vec![]), None, "there was none");
    home.start(7, threads[0]);
    assert_eq!((home.caller_gone(vec![8, 9]), home.caller_gone(vec![])), (Some((1, vec![8, 9])), None));
    assert!(home.withdraw(&1));
    assert_eq!(home.take(2, threads[0], false), taken(Caller::Gone, []), "whose actor died of it");
    for (mut home, thread) in [(between(threads), threads[0]), (moving(threads), threads[1])] {
        if home.phase() == Phase::Waiting {
            home.start(7, thread);
        }
        home.control(5);
        assert_eq!(home.caller_gone(vec![8, 9]), None);
        let told = Taken { last: vec![8, 9], caller: Caller::Gone, controls: vec![5] };
        assert_eq!(home.take(2, thread, true), Some(told), "and what it said last is not lost");
        assert!(home.withdraw(&2));
        assert_eq!(home.take(3, thread, false), taken(Caller::Gone, []));
    }
}

#[test]
fn of_two_sockets_before_the_start_the_newest_wins() {
    let threads = threads();
    let mut home = running(threads);
    assert_eq!(home.check_start(&6), Ok(()), "whoever opened it, it waits for nobody");
    assert_eq!((home.wait_for_start(6), home.wait_for_start(7)), (None, Some(6)));
    assert_eq!((home.check_start(&6), home.check_start(&7)), (Err(MediaRefusal::Superseded), Ok(())));
    home.start(7, threads[0]);
    assert_eq!(home.check_start(&7), Err(MediaRefusal::AlreadyStarted));
    assert_eq!(home.wait_for_start(8), None);
    home.stop_waiting(&7);
    assert_eq!(home.hang_up(), [7, 8], "both are closed");
    assert_eq!((home.hang_up(), home.phase()), (vec![], Phase::Live));
}

#[test]
fn a_socket_that_takes_a_calls_place_is_not_closed_with_it() {
    let threads = threads();
    let mut home = running(threads);
    home.start(7, threads[0]);
    home.wait_for_start(8);
    home.stop_waiting(&8);
    assert_eq!(home.hang_up(), [7]);
}

#[test]
fn a_call_whose_stream_never_came_is_one_that_waits_when_it_leaves() {
    let mut home = running(threads());
    home.wait_for_start(7);
    assert_eq!((home.hang_up(), home.phase()), (vec![7], Phase::Waiting));
}

#[test]
fn a_call_that_left_has_no_actor_that_could_be_told_anything() {
    let mut home = running(threads());
    home.start(7, threads()[0]);
    assert_eq!(home.caller_gone(vec![8]), Some((1, vec![8])));
    assert_eq!((home.hang_up(), home.actor(), home.control(5)), (vec![], None, Routed::Held));
}

/// Anything that happens to a call's home, in any order.
#[derive(Clone, Debug)]
enum Event {
    Control,
    Take { on: usize, arriving: bool },
    Withdraw { newest: bool },
    Start { on: usize },
    Gone,
    HangUp,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Control),
        3 => (0..2_usize, any::<bool>()).prop_map(|(on, arriving)| Event::Take { on, arriving }),
        2 => any::<bool>().prop_map(|newest| Event::Withdraw { newest }),
        1 => (0..2_usize).prop_map(|on| Event::Start { on }),
        1 => Just(Event::Gone),
        1 => Just(Event::HangUp),
    ]
}

/// A home, and what everybody was told.
struct Told {
    home: Numbered,
    /// Numbers that were given to controls, and to actors.
    controls: u32,
    actors: u32,
    dropped: Vec<u32>,
    delivered: Vec<u32>,
    gone: bool,
    /// The actors that heard that the socket is gone.
    heard_gone: Vec<u32>,
    /// How often what the socket said last was given, and told.
    last: (u32, u32),
}

impl Told {
    fn happens(&mut self, event: &Event, threads: [ThreadId; 2]) {
        match *event {
            Event::Control => {
                self.controls += 1;
                match self.home.control(self.controls) {
                    Routed::To(actor, control) => {
                        assert_eq!(Some(actor), self.home.actor());
                        self.delivered.push(control);
                    }
                    Routed::Held => {}
                    Routed::Dropped => self.dropped.push(self.controls),
                }
            }
            Event::Take { on, arriving } => {
                let before = self.home.actor();
                if let Some(taken) = self.home.take(self.actors + 1, threads[on], arriving) {
                    assert_eq!(before, None, "a call has one actor");
                    self.actors += 1;
                    self.delivered.extend(taken.controls);
                    self.last.1 += taken.last.iter().sum::<u32>();
                    if taken.caller == Caller::Gone {
                        self.heard_gone.push(self.actors);
                    }
                }
            }
            Event::Withdraw { newest } => {
                let (dead, was) = (self.actors.saturating_sub(u32::from(!newest)), self.home.actor());
                assert_eq!(self.home.withdraw(&dead), was == Some(dead));
            }
            Event::Start { on } => {
                if self.home.check_start(&7).is_ok() {
                    self.home.start(7, threads[on]);
                }
            }
            Event::Gone => {
                let is_here = self.home.caller().is_some();
                self.gone |= is_here;
                self.last.0 += u32::from(is_here);
                if let Some((actor, last)) = self.home.caller_gone(vec![1]) {
                    self.heard_gone.push(actor);
                    self.last.1 += last.iter().sum::<u32>();
                }
            }
            Event::HangUp => {
                self.gone |= self.home.caller().is_some();
                self.home.hang_up();
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_no_control_is_lost_or_told_twice(events in prop::collection::vec(event(), 0..120)) {
        let threads = threads();
        let (home, dropped, delivered, heard_gone) = (Numbered::new(), Vec::new(), Vec::new(), Vec::new());
        let mut told = Told { home, controls: 0, actors: 0, dropped, delivered, gone: false, heard_gone, last: (0, 0) };
        for event in &events {
            told.happens(event, threads);
            if matches!(event, Event::HangUp) {
                prop_assert!(told.home.last.is_empty() && told.home.actor().is_none());
                return Ok(());
            }
            // In order, save what found no room; the rest waits, within its bound.
            let mut all = told.delivered.clone();
            all.extend(&told.home.held);
            let dropped = &told.dropped;
            prop_assert_eq!(all, (1..=told.controls).filter(|n| !dropped.contains(n)).collect::<Vec<_>>());
            prop_assert!(told.home.held.len() <= CONTROLS_HELD && (told.home.held.is_empty() || told.home.actor().is_none()));
            if !told.gone {
                prop_assert!(told.heard_gone.is_empty());
            }
        }
        // Whoever comes next is told all that is left, and that the socket is gone.
        let arriving = matches!(told.home.place, Place::Moving);
        if told.home.actor().is_none() {
            told.happens(&Event::Take { on: 1, arriving }, threads);
            prop_assert_eq!(told.delivered.len() + told.dropped.len(), told.controls as usize);
            prop_assert_eq!(told.last.0, told.last.1);
            if told.gone {
                prop_assert_eq!(told.heard_gone.last(), Some(&told.actors));
            }
        }
    }
}
