use super::*;

fn latency(of: Awaited, parts: &[(Part, u64)]) -> Latency {
    Latency {
        of,
        item: ItemId::new("a1"),
        from_ms: 1_000,
        parts: Parts::new(parts.iter().copied()),
        heard: true,
        network_ms: Some(40),
        carrier_echo_ms: Some(60),
        asked: 0,
        stalled: false,
        settings: Settings { endpointing_ms: 500, semantic: false, confirmed: false },
    }
}

fn turn(parts: &[(Part, u64)]) -> Latency {
    latency(Awaited::Turn, parts)
}

#[test]
fn parts_are_the_whole_and_follow_each_other() {
    let told = turn(&[(Part::Playing, 80), (Part::Endpointing, 520), (Part::Starting, 200), (Part::Starting, 50)]);
    assert_eq!((told.whole_ms(), told.sent_ms(), told.until_ms()), (850, 770, 1_850));
    let spans: Vec<_> = told.parts.spans().collect();
    assert_eq!(spans, [(Part::Endpointing, 0, 520), (Part::Starting, 520, 250), (Part::Playing, 770, 80)]);
    assert_eq!(turn(&[]).largest(), None);
}

#[test]
fn a_slow_answer_is_owned_by_whoever_took_most_of_its_largest_part() {
    let owner = |latency: Latency| latency.largest().map(|(_, owner)| owner);
    let spoken = |ms| (Part::Endpointing, ms);
    assert_eq!(owner(turn(&[spoken(900), (Part::Generating, 800)])), Some(Owner::Setting("silence_ms")));
    assert_eq!(owner(turn(&[spoken(520), (Part::Generating, 2_800)])), Some(Owner::Model));
    assert_eq!(owner(turn(&[spoken(520), (Part::Tool, 2_800)])), Some(Owner::Tool));
    assert_eq!(owner(turn(&[spoken(520), (Part::Deciding, 700)])), Some(Owner::Us));
    assert_eq!(owner(turn(&[spoken(520), (Part::Playing, 700)])), Some(Owner::Carrier));
    assert_eq!(owner(turn(&[spoken(520), (Part::Sending, 700)])), Some(Owner::Us));
    let mut far = turn(&[spoken(1_400), (Part::Starting, 300)]);
    assert_eq!(owner(far.clone()), Some(Owner::Model), "its detector lets go late");
    far.network_ms = Some(800);
    assert_eq!(owner(far.clone()), Some(Owner::Network));
    far.parts = Parts::new([(Part::Starting, 900)]);
    assert_eq!(owner(far.clone()), Some(Owner::Model), "it was not asked: no way lies between");
    far.asked = 1;
    assert_eq!(owner(far.clone()), Some(Owner::Network));
    far.settings = Settings { endpointing_ms: 4_000, semantic: true, confirmed: true };
    far.parts = Parts::new([spoken(3_000)]);
    assert_eq!(owner(far.clone()), Some(Owner::Setting("eagerness")));
    far.parts = Parts::new([(Part::Deciding, 700)]);
    assert_eq!(owner(far.clone()), Some(Owner::Setting("interruptions")));
    far.parts = Parts::new([(Part::Sending, 700)]);
    far.stalled = true;
    assert_eq!(owner(far), Some(Owner::Carrier));
}

#[test]
fn shares_of_a_part_are_the_part() {
    let mut told = turn(&Part::ALL.map(|part| (part, 700)));
    for network_ms in [None, Some(0), Some(40), Some(9_000)] {
        for asked in [0, 1, 5] {
            (told.network_ms, told.asked) = (network_ms, asked);
            for part in Part::ALL {
                let sum: u64 = told.shares(part).into_iter().flatten().map(|(_, ms)| ms).sum();
                assert_eq!(sum, 700, "{part:?} {network_ms:?} {asked}");
            }
        }
    }
}

#[test]
fn a_greeting_is_slow_sooner_than_an_answer() {
    assert!(latency(Awaited::Greeting, &[(Part::Connecting, 1_001)]).is_slow());
    assert!(!latency(Awaited::Turn, &[(Part::Generating, 2_000)]).is_slow());
    assert!(latency(Awaited::Tool, &[(Part::Tool, 2_001)]).is_slow());
}

#[test]
fn what_is_written_down_is_read_as_it_was() {
    let told = turn(&[(Part::Endpointing, 1_000), (Part::Generating, 1_900)]);
    let json = told.to_json();
    assert_eq!(Latency::from_json(&json), Some(told.clone()));
    assert_eq!((&json["ms"], &json["slow"], &json["owner"]), (&2_900.into(), &true.into(), &"model".into()));
    let quiet = Latency { network_ms: None, carrier_echo_ms: None, heard: false, ..told };
    assert_eq!(Latency::from_json(&quiet.to_json()), Some(quiet));
    for junk in ["null", "7", "{}", r#"{"of":"lunch","item":"a","from_ms":1,"parts":{}}"#, r#"{"of":"turn"}"#] {
        assert_eq!(Latency::from_json(&serde_json::from_str(junk).expect("JSON")), None, "{junk}");
    }
    assert!(Part::ALL.into_iter().all(|part| Part::from_name(part.name()) == Some(part)));
    assert!(Awaited::ALL.into_iter().all(|of| Awaited::from_name(of.name()) == Some(of)));
}
