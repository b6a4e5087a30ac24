//! What the carrier's audio may be like: both codings of the telephone's own, and frames cut anywhere.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use codecs::g711;
use serde_json::{Value, json};

use crate::carrier::Carrier;
use crate::gateway::Gateway;
use crate::model::{Heard, Model};

/// A quiet tone at 8 kHz that is no multiple of anything, s16le.
fn voice(ms: usize) -> Vec<u8> {
    (0..ms * 8).flat_map(|n| (((n as f32 * 0.31).sin() * 3_000.0) as i16).to_le_bytes()).collect()
}

async fn live(gateway: &Gateway, call: &str, media_format: Value) -> Carrier {
    gateway.admit_here(call).await;
    let mut carrier = Carrier::connect(gateway.address, call).await;
    carrier.send_start_of(media_format).await;
    carrier
}

fn samples(pcm: &[u8]) -> Vec<i16> {
    pcm.chunks_exact(2).map(|sample| i16::from_le_bytes([sample[0], sample[1]])).collect()
}

/// The loudest sample that the model heard: of noise, the loudest there is.
fn peak(heard: &[Heard]) -> i16 {
    samples(&heard.last().unwrap().audio).into_iter().map(i16::saturating_abs).max().unwrap()
}

#[actix_web::test]
async fn a_carrier_that_speaks_g711_is_understood_and_answered_in_it() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    type Law = (fn(&[u8], &mut Vec<u8>), fn(&[u8], &mut Vec<u8>));
    let ulaw: Law = (g711::pcm_to_ulaw, g711::ulaw_to_pcm);
    let alaw: Law = (g711::pcm_to_alaw, g711::alaw_to_pcm);
    let formats = [("audio/x-mulaw", ulaw), ("PCMU", ulaw), ("audio/PCMU;rate=8000", ulaw), ("audio/x-alaw", alaw)];
    for (n, (encoding, (encode, decode))) in formats.into_iter().enumerate() {
        let mut carrier = live(&gateway, &format!("c{n}"), json!({"encoding":encoding,"sample_rate":"8000"})).await;
        // A message of 200 ms at one byte a sample, and in it the model's ramp.
        let first = carrier.agent_audio().await;
        assert_eq!(first.len(), 1_600, "{encoding}");
        let mut pcm = Vec::new();
        decode(&first, &mut pcm);
        let ramp = samples(&pcm);
        assert!(ramp[200..600].windows(2).all(|pair| pair[0].abs_diff(pair[1]) < 300), "{encoding}: a ramp, no noise");
        let mut codes = Vec::new();
        encode(&voice(1_000), &mut codes);
        for frame in codes.chunks(160) {
            let media = carrier.media(frame);
            carrier.send(media).await;
        }
        let heard = model.until("a second of it", |all| all[n].audio.len() > 49 * 960).await;
        assert!((2_500..3_500).contains(&peak(&heard)), "{encoding}: {}", peak(&heard));
        assert!(heard[n].audio.len() <= 50 * 960, "a second is a second");
    }
    gateway.stop().await;
}

#[actix_web::test]
async fn a_coding_that_cannot_be_carried_is_refused_in_words() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    let mut carrier = live(&gateway, "c1", json!({"encoding":"audio/opus","sample_rate":"8000"})).await;
    let (code, words) = carrier.closed().await;
    assert_eq!(code, 1008);
    assert!(words.contains("audio/opus") && words.contains("mu-law"), "{words}");
    assert_eq!(gateway.refusals(), [words]);
    gateway.stop().await;
}

#[actix_web::test]
async fn frames_of_odd_length_are_heard_without_noise_even_where_some_are_lost() {
    let model = Model::start(101).await;
    let gateway = Gateway::start(&model).await;
    let mut carrier = live(&gateway, "c1", json!({"encoding":"audio/x-raw","sample_rate":"8000"})).await;
    carrier.agent_audio().await;
    let said = voice(2_000);
    let mut rest = &said[..];
    for n in 0.. {
        let (frame, other) = rest.split_at([321, 319, 1, 0, 639][n % 5].min(rest.len()));
        rest = other;
        let mut media = carrier.media(frame);
        if n % 3 == 0 {
            media["media"]["payload"] = json!(URL_SAFE_NO_PAD.encode(frame));
        }
        // Every kind of them is lost once, and one comes as what is no base64.
        match n {
            30 | 41 | 52 | 64 => {}
            75 => carrier.send(json!({"event":"media","media":{"payload":"***"}})).await,
            _ => carrier.send(media).await,
        }
        if rest.is_empty() {
            break;
        }
    }
    let whole = 100 * 960;
    let heard = model.until("most of two seconds", |all| all[0].audio.len() > whole * 9 / 10).await;
    assert!((2_500..8_000).contains(&peak(&heard)), "{}", peak(&heard));
    gateway.stop().await;
}
