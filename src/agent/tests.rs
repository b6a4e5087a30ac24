use std::collections::BTreeSet;

use chrono::Utc;
use proptest::prelude::*;
use protocol::ids::PhoneNumber;
use serde_json::{Value, json};

use super::shape::{FILE, Kind, Shape};
use super::*;
use crate::outgoing::PrivateHosts;
use crate::store::{Agent, Client, ClientLimits};

mod destinations;
mod listening;

const CLINIC: &str = r#"
name = "City Clinic"
numbers = ["080 4711 2233", "+918047112234"]
time_zone = "Asia/Kolkata"
recording = "on"
max_concurrent = 20

[agent]
greeting = "Welcome to City Clinic, {{name|dear caller}}."
instructions = """
You answer the phone of a clinic.
It is {{now}}."""
language = "en-IN"
voice = "marin"
model = "gpt-realtime-2.1"
speed = 1.1
hold_words = ["One moment.", "I am still on it."]
closed_words = "We are closed."

[hours]
open = ["Mon-Fri 09:00-18:00", "Sat 10:00-13:00"]
to = "night_nurse"

[destinations.desk]
to = "080 4711 2299"
when = "The caller wants to speak with a person."
hours = "Mon-Fri 09:00-18:00"
caller_id = "080 4711 2233"
ring_secs = 20
whisper = "A call for the desk."

[destinations.night_nurse]
to = "sip:nurse@clinic.example"

[failure]
to = "desk"

[keypad]
secret = "always"

[listening]
languages = ["hi", "en"]
turn_detection = "server"
threshold = 0.5
prefix_ms = 300
silence_ms = 500
noise_reduction = "near"
transcription_model = "gpt-transcribe"
hint_words = ["Zendu"]
interruptions = "confirmed"
min_ms = 200
pause_after_ms = 250
listening_words = { hi = ["haan ji"] }

[silence]
nudge_after_secs = 8
nudge_words = ["Are you still there?"]
nudges = 1
then = "desk"

[outcome]
prompt = "Was it settled?"
model = "gpt-5-mini"
schema = { type = "object", properties = { settled = { type = "boolean" } } }

[context]
url = "https://clinic.example/who"
headers = { X-Api-Key = "secret:CRM_KEY" }
deadline_ms = 500

[events]
url = "https://clinic.example/events"

[[tools]]
name = "book_slot"
description = "Books a slot."
url = "https://clinic.example/book"
method = "PUT"
timeout_ms = 8000
effect = "write"
say_while = "One moment, please."
answer = "silent"
headers = { Authorization = "secret:CRM_KEY" }
[tools.parameters]
type = "object"
properties = { day = { type = "string" }, note = { type = ["string", "null"] } }
required = ["day"]

[[mcp]]
label = "crm"
url = "https://crm.example/mcp"
allowed = ["find_patient"]
effect = "read"
secret_digits = true
headers = { X-Site = "1" }
"#;

fn rules(private: &PrivateHosts) -> Rules<'_> {
    Rules { private, folder: None }
}

fn read(text: &str) -> Result<AgentFile, Vec<Mistake>> {
    read_toml(text, rules(&PrivateHosts::default()))
}

fn mistakes(text: &str) -> Vec<String> {
    read(text).unwrap_err().iter().map(ToString::to_string).collect()
}

fn client(name: String, number: String, agent: Agent, limits: ClientLimits) -> Client {
    Client {
        id: 1,
        name,
        exotel_number: PhoneNumber::new(number),
        active: true,
        region: "IN".to_owned(),
        time_zone: "Asia/Kolkata".to_owned(),
        agent,
        limits,
        recording: false,
        events_url: None,
        version: 0,
        created_at: Utc::now(),
        updated_at: Utc::now(),
    }
}

#[test]
fn a_file_is_read_as_it_was_meant_and_is_the_same_file_when_it_is_written_again() {
    let file = read(CLINIC).unwrap();
    assert_eq!(file.numbers, ["+918047112233", "+918047112234"]);
    assert!(file.recording && file.active);
    assert_eq!(file.tools[0].say_while, ["One moment, please."]);
    assert_eq!((file.tools[0].method, file.tools[0].answer), (Method::Put, Answer::Silent));
    assert_eq!(file.mcp[0].allowed.as_deref(), Some(["find_patient".to_owned()].as_slice()));
    assert_eq!(read(&file.to_toml().unwrap()).unwrap(), file);
    let as_json = serde_json::to_value(&file).unwrap();
    assert_eq!(read_json(&as_json, rules(&PrivateHosts::default())).unwrap(), file);
}

#[test]
fn a_schema_that_toml_cannot_hold_is_written_as_json() {
    let mut file = read(CLINIC).unwrap();
    let schema = json!({ "type": "object", "properties": { "day": { "enum": ["today", null], "maximum": u64::MAX } } });
    file.tools[0].parameters = schema.clone();
    file.follow_up.outcome.as_mut().unwrap().schema = schema;
    let text = file.to_toml().unwrap();
    assert_eq!(read(&text).unwrap(), file, "{text}");
}

#[test]
fn every_mistake_of_a_file_is_told_at_once_with_its_line_its_key_and_the_mend() {
    let text = r#"name = ""
numbers = ["12"]
time_zone = "Asia/Kolkatta"
max_concurrent = 0

[agent]
greting = "Hello"
voice = "nobody"
speed = 2
instructions = "Hi {{nmae}}"

[[tools]]
name = "book slot"
description = 7
url = "http://clinic.example/book"
timeout_ms = 1000000
headers = { Host = "x" }

[[tools]]
name = "end_call"
description = "Ends it."
url = "https://10.0.0.1/x"
parameters = { type = "array" }

[hours]
open = ["Mon-Fri 9-18"]
to = "the desk"

[keypad]
secret = "sometimes"
"#;
    let told = mistakes(text);
    let expected = [
        "line 1: name is empty",
        "line 2: numbers[0] is no phone number: give it as +91",
        "line 3: time_zone there is no such zone: is it Asia/Kolkata?",
        "line 4: max_concurrent must be a whole number from 1 to",
        "line 7: agent.greting is no key that is known: is it greeting?",
        "line 8: agent.voice is no voice that is known",
        "line 9: agent.speed must be a number from 0.25 to 1.5",
        "line 10: agent.instructions `{{nmae}}` cannot be filled: callgate knows caller",
        "line 13: tools[0].name is no name of a function",
        "line 14: tools[0].description is a number, and must be a text",
        "line 15: tools[0].url is not https",
        "line 16: tools[0].timeout_ms must be a whole number from 100 to 120000",
        "line 17: tools[0].headers.Host is set by callgate itself",
        "line 20: tools[1].name is end_call, which every agent has",
        "line 22: tools[1].url has a private address",
        "line 23: tools[1].parameters will not do: a schema of arguments must say",
        "line 26: hours.open[0] has 9-18, which is no time",
        "line 27: hours.to is no name of a destination",
        "line 30: keypad.secret must be one of asked, always",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}\n{expected}");
    }
}

#[test]
fn what_is_missing_is_told_by_the_line_of_its_table_and_what_is_no_toml_by_its_own() {
    assert_eq!(mistakes("").len(), 2);
    let told = mistakes("name = \"A\"\nnumbers = \"08047112233\"\n\n[[tools]]\nname = \"a\"\n");
    assert!(told[0].starts_with("line 4: tools[0].") && told.len() == 2, "{told:?}");
    let told = mistakes("name = \"A\nnumbers = 3\n[agent\n");
    assert!(told.iter().any(|told| told.starts_with("line 1: the file is not TOML")), "{told:?}");
    let told = mistakes("name = \"A\"\nname = \"B\"\n");
    assert!(told[0].starts_with("line 2: the file is not TOML"), "{told:?}");
}

#[test]
fn what_does_not_go_together_is_told() {
    let head = "name = \"A\"\nnumbers = [\"08047112233\", \"+918047112233\"]\n";
    let tool = "[[tools]]\nname = \"a\"\ndescription = \"A.\"\nurl = \"https://a.example/\"\n";
    let server = "[[mcp]]\nlabel = \"m\"\nurl = \"https://a.example/\"\n";
    let agent = "[agent]\nmodel = \"gpt-4o-realtime-preview\"\nvoice = \"marin\"\nunlisted_voice = \"Asha\"\n";
    let told = mistakes(&format!("{head}{agent}{tool}{tool}{server}{server}"));
    let said = |words: &str| assert!(told.iter().any(|told| told.contains(words)), "{words}: {told:#?}");
    said("numbers[1] is there twice");
    said("agent.unlisted_voice stands beside voice");
    said("agent.voice is marin, which gpt-4o-realtime-preview does not have");
    said("tools[1].name is a, as that of another tool is");
    said("mcp[1].label is m, as that of another server is");
    assert_eq!(told.len(), 5);
}

#[test]
fn what_a_silent_caller_hears_and_what_is_found_out_of_a_call_is_checked() {
    let head = "name = \"A\"\nnumbers = \"08047112233\"\n";
    let least = read(&format!("{head}[silence]\n[outcome]\nschema = '{{\"type\":\"object\"}}'\n")).unwrap();
    let silence = least.follow_up.silence.clone().unwrap();
    assert_eq!((silence.nudge_after_secs, silence.nudges, silence.destination()), (10, 2, None));
    assert_eq!(read(&least.to_toml().unwrap()).unwrap(), least);
    let told = mistakes(&format!(
        "{head}[silence]\nnudge_after_secs = 1\nnudge_words = [\"{}\"]\nnudges = 11\nthen = \"desk\"\n[outcome]\nschema = {{ type = \"string\" }}\nprompt = \" \"\n",
        "a".repeat(161)
    ));
    let expected = [
        "line 4: silence.nudge_after_secs must be a whole number from 3 to 300",
        "line 5: silence.nudge_words[0] has 161 characters",
        "line 6: silence.nudges must be a whole number from 0 to 10",
        "line 7: silence.then is desk, which is no destination: add [destinations.desk]",
        "line 9: outcome.schema will not do: a schema",
        "line 10: outcome.prompt is empty",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}\n{expected}");
    }
    assert!(mistakes(&format!("{head}[outcome]\n"))[0].starts_with("line 3: outcome.schema is missing"));
}

#[test]
fn a_file_beyond_its_bounds_is_refused_and_one_at_them_is_taken() {
    let file = |tools: usize, description: usize, levels: usize| {
        let mut schema = "{\"type\":\"object\"}".to_owned();
        for _ in 1..levels {
            schema = format!("{{\"type\":\"object\",\"not\":{schema}}}");
        }
        let mut text = "name = \"A\"\nnumbers = \"08047112233\"\n".to_owned();
        for number in 0..tools {
            text += &format!(
                "[[tools]]\nname = \"t{number}\"\ndescription = \"{}\"\nurl = \"https://a.example/\"\nparameters = '{schema}'\n",
                "d".repeat(description)
            );
        }
        text
    };
    read(&file(32, 1024, 32)).unwrap();
    for text in [file(33, 9, 1), file(1, 1025, 1), file(1, 9, 33), " ".repeat(LONGEST_FILE + 1)] {
        assert_eq!(mistakes(&text).len(), 1);
    }
    let many = |keys: usize| (0..keys).map(|key| format!("x{key} = 1\n")).collect::<String>();
    assert_eq!(mistakes(&many(5_000)).len(), MOST_MISTAKES);
    let long = format!("\"type\":\"object\",\"title\":\"{}\"", "x".repeat(65_536));
    let nested = |levels: usize| format!("{{\"type\":\"object\",\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    let any: String = (0..2_001).map(|_| "{},").collect();
    let any = format!("{{\"type\":\"object\",\"anyOf\":[{}]}}", any.trim_end_matches(','));
    for schema in [format!("{{{long}}}"), nested(100), nested(5_000), any, "3".to_owned(), "{".to_owned()] {
        let text = file(1, 9, 1).replace("{\"type\":\"object\"}", &schema);
        assert_eq!(mistakes(&text).len(), 1, "{}", &schema[..schema.len().min(80)]);
    }
}

#[test]
fn what_a_file_changes_is_told_key_by_key_and_no_key_of_a_header_is_shown() {
    let file = read(CLINIC).unwrap();
    let columns = file.columns();
    let mut row = client(file.name.clone(), file.numbers[0].clone(), columns.agent, columns.limits);
    (row.recording, row.events_url) = (true, file.events.clone().map(|events| events.url));
    let numbers = file.numbers.iter().map(PhoneNumber::new).collect();
    let stands = OnRecord { client: row, numbers, document: file.document() };
    assert_eq!(Plan::over(stands.clone(), file.clone()).changes(), []);
    let mut wished = file.clone();
    wished.agent.greeting = "Hello".to_owned();
    wished.limits.max_concurrent = None;
    wished.mcp[0].headers.insert("X-Site".to_owned(), "hush".to_owned());
    let told: Vec<String> = Plan::over(stands, wished).changes().iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].starts_with("~ agent.greeting = \"Hello\" (was \"Welcome"));
    assert_eq!(told[1], "- max_concurrent (was 20)");
    assert_eq!(told[2], "~ mcp[0].headers.X-Site = (not shown) (was (not shown))");
}

/// Keys of what the types write, against the keys of the shape: both ways.
fn same_keys(shape: &Shape, value: &Value, at: &str) {
    let known: BTreeSet<&str> = shape.keys.iter().map(|key| key.name).collect();
    // Instead of another key: no file has both.
    let instead = ["instructions_file", "unlisted_voice", "eagerness", "transcription_language"];
    let written: BTreeSet<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    let missing: Vec<_> = known.difference(&written).filter(|key| !instead.contains(key)).collect();
    assert!(missing.is_empty() && written.is_subset(&known), "{at}: {missing:?} {written:?}");
    for key in shape.keys {
        match key.kind {
            Kind::Table(shape) => same_keys(shape, &value[key.name], key.name),
            Kind::Named { shape, .. } => {
                let first = value[key.name].as_object().and_then(|named| named.values().next());
                same_keys(shape, first.unwrap(), key.name);
            }
            Kind::Tables { shape, .. } => same_keys(shape, &value[key.name][0], key.name),
            _ => {}
        }
    }
}

#[test]
fn the_json_schema_says_what_the_types_hold_and_is_the_one_in_docs() {
    let mut file = read(CLINIC).unwrap();
    let limits = &mut file.limits;
    (limits.calls_per_minute, limits.caller_calls_per_minute, limits.max_call_secs) = (Some(1), Some(1), Some(1));
    same_keys(&FILE, &serde_json::to_value(&file).unwrap(), "the file");
    let schema = serde_json::to_string_pretty(&json_schema()).unwrap() + "\n";
    if std::env::var_os("CALLGATE_WRITE_DOCS").is_some() {
        std::fs::write("docs/agent.schema.json", &schema).unwrap();
    }
    let kept = std::fs::read_to_string("docs/agent.schema.json").unwrap_or_default();
    assert!(
        kept == schema,
        "CALLGATE_WRITE_DOCS=1 cargo test --lib the_json_schema writes docs/agent.schema.json anew"
    );
}

#[test]
fn the_file_in_the_documentation_is_one_that_applies() {
    let page = std::fs::read_to_string("docs/agent.md").unwrap();
    let blocks = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let file = &blocks.collect::<String>();
    let folder = std::env::temp_dir().join(format!("callgate-agent-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("clinic.txt"), "You answer for {{called}}.\n").unwrap();
    let private = PrivateHosts::default();
    let read = read_toml(file, Rules { private: &private, folder: Some(&folder) }).unwrap();
    assert_eq!(read.agent.instructions, "You answer for {{called}}.\n");
    assert_eq!((read.tools.len(), read.mcp.len(), read.numbers.len()), (2, 1, 2));
    for (text, told) in [
        (file.replace("clinic.txt", "nowhere.txt"), "agent.instructions_file names"),
        (file.replace("clinic.txt", "/dev/zero"), "agent.instructions_file names a file of more than"),
    ] {
        let wrong = read_toml(&text, Rules { private: &private, folder: Some(&folder) }).unwrap_err();
        assert!(wrong.len() == 1 && wrong[0].to_string().contains(told), "{wrong:?}");
    }
    assert!(read_toml(file, rules(&private)).unwrap_err()[0].problem.contains("give the text itself"));
    std::fs::remove_dir_all(folder).unwrap();
}

fn anything(most: usize) -> impl Strategy<Value = String> {
    let text = proptest::collection::vec(
        prop_oneof![4 => "[ -~]{1,12}", 1 => "[\\n\\r\\t\"'\\\\#]{1,4}", 1 => "\\PC{1,8}"],
        0..most,
    );
    text.prop_map(|parts| parts.concat().replace("{{", "{ "))
}

proptest! {
    /// Whatever `client add` takes.
    #[test]
    fn what_client_add_made_exports_to_a_file_that_applies_without_a_change(
        name in "[ -~]{0,20}[a-zA-Z\"'\\\\]",
        greeting in anything(6),
        instructions in anything(30),
        voice in prop_oneof![Just(None), Just(Some("marin")), Just(Some("voice_68a1b2")), Just(Some("Asha hi-IN: v2"))],
        language in prop_oneof![Just("en-IN"), Just("hi"), Just("zh-Hant-TW")],
        transcription in prop_oneof![Just(None), Just(Some("hi"))],
        model in prop_oneof![Just(None), Just(Some("gpt-realtime-2.1-mini")), Just(Some("somebody/elses v1"))],
        count in proptest::option::of(1..i32::MAX),
        number in 8_000_000_000_u64..9_999_999_999,
    ) {
        let number = format!("+91{number}");
        prop_assume!(protocol::exotel::normalise_number(&number, "IN").as_ref() == Some(&number));
        let agent = Agent {
            greeting,
            language: language.to_owned(),
            transcription_language: transcription.map(str::to_owned),
            voice: voice.map(str::to_owned),
            instructions,
            model: model.map(str::to_owned),
            tools: "[]".to_owned(),
        };
        let limits = ClientLimits { max_concurrent: count, max_call_secs: count, ..ClientLimits::default() };
        let client = client(name, number.clone(), agent, limits);
        let stands = OnRecord { client, numbers: vec![PhoneNumber::new(number)], document: Document::default() };
        let text = stands.file().to_toml().unwrap();
        let file = read(&text).map_err(|wrong| TestCaseError::fail(format!("{wrong:?}\n{text}")))?;
        prop_assert_eq!(Plan::over(stands, file).changes(), vec![], "{}", text);
    }
}
