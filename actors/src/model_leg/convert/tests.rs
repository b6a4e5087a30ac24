use protocol::ids::{ItemId, ResponseId};

use super::*;

fn key(item: &str) -> ContentKey {
    ContentKey { response: ResponseId::new("r"), item: ItemId::new(item), content_index: 0 }
}

fn tone(samples: usize, hz: f32, rate: f32) -> Vec<u8> {
    (0..samples)
        .flat_map(|n| (((n as f32 * hz / rate * std::f32::consts::TAU).sin() * 8000.0) as i16).to_le_bytes())
        .collect()
}

fn delivered(converter: &mut Converter, cuts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    cuts.iter().for_each(|cut| converter.decode(&key("a"), cut, &mut Vec::new(), &mut out));
    assert_eq!(converter.finish(&mut out), Some(key("a")));
    out
}

#[test]
fn audio_does_not_depend_on_where_the_server_cut_it() {
    let pcm = tone(24_000, 440.0, 24_000.0);
    let whole = delivered(&mut Converter::new(SampleRate::Hz8000), &[&pcm]);
    for size in [1, 3, 4801, 12_000] {
        let cuts: Vec<_> = pcm.chunks(size).collect();
        assert_eq!(delivered(&mut Converter::new(SampleRate::Hz8000), &cuts), whole, "cut every {size} bytes");
    }
    assert_eq!(whole.len(), 16_000, "a second in is a second out");
}

#[test]
fn an_item_does_not_hear_the_one_before_it() {
    let pcm = tone(4_800, 440.0, 24_000.0);
    let mut converter = Converter::new(SampleRate::Hz8000);
    let first = delivered(&mut converter, &[&pcm]);
    assert_eq!(delivered(&mut converter, &[&pcm]), first);
}

#[test]
fn a_new_item_is_told_from_a_continued_one() {
    let mut converter = Converter::new(SampleRate::Hz8000);
    assert!(converter.continues(&key("a")));
    converter.decode(&key("a"), &[0; 960], &mut Vec::new(), &mut Vec::new());
    assert!(converter.continues(&key("a")));
    assert!(!converter.continues(&key("b")));
    converter.finish(&mut Vec::new());
    assert!(converter.continues(&key("b")));
    assert_eq!(converter.finish(&mut Vec::new()), None, "nothing was in the middle");
}

#[test]
fn a_server_that_really_uses_g711_gets_and_gives_g711() {
    let mut converter = Converter::new(SampleRate::Hz8000);
    converter.set_input(AudioFormat::Pcmu);
    converter.set_output(AudioFormat::Pcma);
    let pcm = tone(160, 440.0, 8_000.0);
    let (mut up, mut down, mut expected) = (Vec::new(), Vec::new(), Vec::new());
    converter.encode(&pcm, &mut Vec::new(), &mut up);
    g711::pcm_to_ulaw(&pcm, &mut expected);
    assert_eq!(up, expected);
    expected.clear();
    converter.decode(&key("a"), &up, &mut Vec::new(), &mut down);
    g711::alaw_to_pcm(&up, &mut expected);
    assert_eq!(down, expected);
}

#[test]
fn no_more_comes_out_than_went_in() {
    for (output, carrier, delta) in [
        (AudioFormat::Pcm { rate: 24_000 }, SampleRate::Hz8000, 4_801),
        (AudioFormat::Pcm { rate: 24_000 }, SampleRate::Hz16000, 4_800),
        (AudioFormat::Pcmu, SampleRate::Hz24000, 400),
    ] {
        let mut converter = Converter::new(carrier);
        converter.set_output(output);
        let mut out = Vec::new();
        (0..10).for_each(|_| converter.decode(&key("a"), &vec![9; delta], &mut Vec::new(), &mut out));
        converter.finish(&mut out);
        let taken = if matches!(output, AudioFormat::Pcmu) { 10 * delta } else { 10 * delta / 2 };
        assert_eq!(out.len() / 2, taken * carrier.hz() as usize / hz(output) as usize, "{output:?} to {carrier:?}");
    }
}

#[test]
fn equal_rates_pass_through_untouched() {
    let mut converter = Converter::new(SampleRate::Hz24000);
    let pcm = tone(480, 440.0, 24_000.0);
    let mut up = Vec::new();
    converter.encode(&pcm, &mut Vec::new(), &mut up);
    assert_eq!(up, pcm);
    assert_eq!(delivered(&mut converter, &[&pcm[..5], &pcm[5..]]), pcm);
}

#[test]
fn the_carriers_rate_may_be_learnt_late() {
    let mut converter = Converter::new(SampleRate::Hz8000);
    converter.set_carrier(SampleRate::Hz16000);
    let mut up = Vec::new();
    converter.encode(&tone(16_000, 440.0, 16_000.0), &mut Vec::new(), &mut up);
    assert!((46_000..=48_000).contains(&up.len()), "a second less what the filter holds: {}", up.len());
}

#[test]
fn a_rate_nobody_can_convert_is_silence_not_noise() {
    let mut converter = Converter::new(SampleRate::Hz8000);
    converter.set_output(AudioFormat::Pcm { rate: 0 });
    let mut out = Vec::new();
    converter.decode(&key("a"), &[1; 960], &mut Vec::new(), &mut out);
    assert!(out.is_empty());
}

#[test]
fn a_buffer_of_the_announced_length_never_grows() {
    for (output, delta) in [
        (AudioFormat::Pcm { rate: 24_000 }, 12_000),
        (AudioFormat::Pcm { rate: 16_000 }, 642),
        (AudioFormat::Pcmu, 2_000),
    ] {
        let mut converter = Converter::new(SampleRate::Hz8000);
        converter.set_output(output);
        for _ in 0..50 {
            let announced = converter.decoded_len(delta);
            let mut out = Vec::new();
            converter.decode(&key("a"), &vec![7; delta], &mut Vec::new(), &mut out);
            assert!(out.len() <= announced, "{output:?}: {} of {announced}", out.len());
        }
    }
}
