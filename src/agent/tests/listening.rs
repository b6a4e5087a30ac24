//! How callers are understood, as a file says it.

use protocol::call::policy::{self, Confirmed, Detection, Transcriber};
use protocol::realtime::command;

use super::{mistakes, read};

const HEAD: &str = "name = \"A\"\nnumbers = [\"08047112233\"]\n";

fn told(text: &str) -> Vec<String> {
    mistakes(&format!("{HEAD}{text}"))
}

#[test]
fn what_a_file_says_of_listening_is_what_a_call_has_and_the_file_tells_it_again() {
    let file = read(&format!(
        "{HEAD}[agent]\nspeed = 1.1\n[listening]\nlanguages = [\"hi\", \"EN-in\"]\nthreshold = 0.7\nprefix_ms = 200\nsilence_ms = 400\n\
         noise_reduction = \"off\"\ntranscription_model = \"gpt-transcribe\"\nhint_words = [\"Zendu\"]\n\
         interruptions = \"confirmed\"\nmin_ms = 180\nlistening_words = {{ hi = [\"Haan ji\", \"हाँ\"] }}\n"
    ))
    .unwrap();
    assert_eq!((file.agent.speed, read(&file.to_toml().unwrap()).unwrap()), (Some(1.1), file.clone()));
    let call = file.listening.of_call();
    assert_eq!(call.languages, ["hi", "en"]);
    let detection = Detection { semantic: None, threshold: Some(0.7), prefix_ms: Some(200), silence_ms: Some(400) };
    assert_eq!((call.detection, call.noise_reduction), (detection, None));
    assert_eq!(call.transcriber, Transcriber::Model("gpt-transcribe".to_owned()));
    let confirmed = Confirmed { min: std::time::Duration::from_millis(180), ..Confirmed::default() };
    assert_eq!(call.interruptions, policy::Interruptions::Confirmed(confirmed));
    assert_eq!(call.listening_words["hi"], ["Haan ji", "हाँ"]);
    let file = read(&format!(
        "{HEAD}[agent]\nspeed = 1\n[listening]\nturn_detection = \"semantic\"\neagerness = \"low\"\nnoise_reduction = \"far\"\n\
         interruptions = \"never\"\ntranscription_model = \"off\"\n"
    ))
    .unwrap();
    let call = file.listening.of_call();
    assert_eq!(call.detection.semantic, Some(command::Eagerness::Low));
    assert_eq!(call.noise_reduction, Some(command::NoiseReduction::Far));
    assert_eq!((call.interruptions, call.transcriber), (policy::Interruptions::Never, Transcriber::Off));
    assert_eq!(read(HEAD).unwrap().listening.of_call(), policy::Listening::default(), "as before");
}

#[test]
fn confirmed_interruptions_need_the_servers_detector_and_a_recogniser_and_say_so_with_line_and_mend() {
    let semantic = told("[listening]\nturn_detection = \"semantic\"\ninterruptions = \"confirmed\"\n");
    assert_eq!(semantic.len(), 1, "{semantic:?}");
    assert!(semantic[0].starts_with("line 5: listening.interruptions is confirmed, which needs the lengths"));
    let off = told("[listening]\ninterruptions = \"confirmed\"\ntranscription_model = \"off\"\n");
    assert_eq!(off.len(), 1, "{off:?}");
    assert!(off[0].starts_with("line 4: listening.interruptions is confirmed, which needs the caller's words: take"));
}

#[test]
fn what_of_listening_is_out_of_range_or_does_not_go_together_is_told() {
    let wrong = told(
        "[agent]\nspeed = 2\n[listening]\nthreshold = 1.5\nprefix_ms = -1\nsilence_ms = 50\neagerness = \"low\"\n\
         noise_reduction = \"loud\"\nhint_words = [\"Zendu\"]\nmin_ms = 100\npause_after_ms = 1300\nlanguages = [\"xx\"]\n\
         listening_words = { hi = [\"!\"], klingon = [\"ja\"] }\n",
    );
    let expected = [
        "line 4: agent.speed must be a number from 0.25 to 1.5",
        "line 6: listening.threshold must be a number from 0 to 1",
        "line 7: listening.prefix_ms must be a whole number from 0 to 2000",
        "line 8: listening.silence_ms must be a whole number from 100 to 5000",
        "line 9: listening.eagerness is for turn_detection = \"semantic\"",
        "line 10: listening.noise_reduction must be one of near, far, off",
        "line 11: listening.hint_words are not taken by the usual recogniser: set transcription_model",
        "line 12: listening.min_ms is for interruptions = \"confirmed\"",
        "line 13: listening.pause_after_ms must be a whole number from 0 to 1200",
        "line 14: listening.languages[0] is no language",
        "line 15: listening.listening_words.hi[0] holds no word",
        "line 15: listening.listening_words.klingon is no language",
    ];
    assert_eq!(wrong.len(), expected.len() + 1, "{wrong:#?}");
    for expected in expected {
        assert!(wrong.iter().any(|wrong| wrong.starts_with(expected)), "{expected}: {wrong:#?}");
    }
    let wrong = told(
        "[listening]\nturn_detection = \"semantic\"\nsilence_ms = 500\nlanguages = \"hi\"\ntranscription_language = \"hi\"\n\
         transcription_model = \"gpt-realtime-2.1\"\n",
    );
    for said in [
        "line 5: listening.silence_ms is for turn_detection = \"server\"",
        "line 7: listening.transcription_language stands beside languages",
        "line 8: listening.transcription_model is gpt-realtime-2.1, which writes nothing down",
    ] {
        assert!(wrong.iter().any(|wrong| wrong.starts_with(said)), "{said}: {wrong:#?}");
    }
    assert_eq!(wrong.len(), 3, "{wrong:#?}");
}
