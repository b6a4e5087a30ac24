use super::super::io::EffectId;
use super::*;

#[test]
#[expect(clippy::disallowed_methods, reason = "a base for virtual time")]
fn the_driver_is_woken_for_the_soonest_timer_and_late_for_pacing() {
    let (pace, answer) = (playout::Timer::Pace, patience::Timer::Answer);
    let t0 = Instant::now();
    let ms = |n| t0 + Duration::from_millis(n);
    let mut deadlines = Deadlines::default();
    assert_eq!(deadlines.next(), None);
    deadlines.set(pace, ms(100));
    deadlines.set(answer, ms(300));
    assert_eq!(deadlines.next(), Some(ms(125)));
    assert_eq!(deadlines.expired(ms(99)), None);
    assert_eq!(deadlines.expired(ms(100)), Some(pace.into()), "whatever comes in at 100 ms serves it");
    assert_eq!(deadlines.next(), Some(ms(300)));
    assert_eq!(deadlines.expired(ms(300)), Some(answer.into()));
    assert_eq!(deadlines.expired(ms(300)), None);

    let function = |id| tools::Timer(EffectId(id));
    deadlines.set(function(1), ms(500));
    deadlines.set(function(2), ms(400));
    deadlines.set(function(1), ms(600));
    assert_eq!(deadlines.next(), Some(ms(400)), "as many as run have one each");
    assert_eq!(deadlines.expired(ms(400)), Some(function(2).into()));
    assert_eq!(deadlines.next(), Some(ms(600)));
    deadlines.clear(function(1));
    assert_eq!(deadlines.next(), None);
}

#[test]
fn every_timer_has_a_row_of_its_own() {
    for (row, timer) in ROWS.into_iter().enumerate() {
        assert_eq!(timer.row(), Some(row), "{timer:?}");
    }
}

/// The parts: how their keys are called, and their modules.
const PARTS: [(&str, &str); 16] = [
    ("Playout", "playout"),
    ("Media", "media"),
    ("Session", "session"),
    ("Patience", "patience"),
    ("CarryOn", "carry_on"),
    ("Turn", "turn"),
    ("Interruption", "interruption"),
    ("Uplink", "uplink"),
    ("Keypad", "keypad"),
    ("Closing", "closing"),
    ("LastWords", "last_words"),
    ("Holding", "holding"),
    ("ContextLookup", "context_lookup"),
    ("Silence", "silence"),
    ("Stopwatch", "stopwatch"),
    ("Tools", "tools"),
];

/// The sources of the call, without their tests.
fn sources() -> Vec<(String, String)> {
    let room = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/call");
    let (mut folders, mut found) = (vec![room.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("tests.rs") {
                let name = path.strip_prefix(&room).expect("in the room").to_string_lossy().into_owned();
                let text = std::fs::read_to_string(&path).expect("a source");
                found.push((name, text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()));
            }
        }
    }
    found
}

#[test]
fn a_timer_is_set_and_cleared_by_its_owner_alone() {
    let sources = sources();
    assert!(sources.len() > 20, "{} sources", sources.len());
    for (name, text) in sources.iter().filter(|(name, _)| name != "deadlines.rs") {
        let owns = |module: &str| {
            name.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with(std::path::MAIN_SEPARATOR))
        };
        // Beside its owner nobody names one: the root hands those that expired on as they come.
        for (_, module) in PARTS.iter().filter(|(_, module)| !owns(module)) {
            assert!(!text.contains(&format!("{module}::Timer")), "{name} names a timer of {module}");
        }
        let touches = ["deadlines.set", "deadlines.clear(", "deadlines.is_set"].iter().any(|what| text.contains(what));
        let owner = PARTS.iter().any(|(_, module)| owns(module));
        assert!(owner || !touches, "{name} has no timers, and touches some");
    }
    for timer in ROWS {
        let name = format!("{timer:?}");
        assert!(PARTS.iter().any(|(part, _)| name.starts_with(&format!("{part}("))), "{name}");
    }
}
