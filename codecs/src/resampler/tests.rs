//! What the filter does to sound is measured on tones: a sine is fitted to the output, and what is left is error.

use std::f64::consts::TAU;

use proptest::prelude::*;

use super::*;

const PAIRS: [(u32, u32); 6] =
    [(8_000, 24_000), (24_000, 8_000), (8_000, 16_000), (16_000, 8_000), (16_000, 24_000), (24_000, 16_000)];

/// Just below full scale, so that clipping is not mistaken for an image.
const AMPLITUDE: f64 = 29_000.0;

fn tone(hz: f64, rate_hz: u32, samples: usize) -> Vec<u8> {
    let step = TAU * hz / f64::from(rate_hz);
    (0..samples).flat_map(|n| ((AMPLITUDE * (step * n as f64).sin()).round() as i16).to_le_bytes()).collect()
}

fn samples(pcm: &[u8]) -> Vec<i16> {
    let mut samples = Vec::new();
    crate::pcm::bytes_to_i16(pcm, &mut samples);
    samples
}

fn resampled(from_hz: u32, to_hz: u32, pcm: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut resampler = Resampler::new(from_hz, to_hz).unwrap();
    resampler.push(pcm, &mut out);
    resampler.flush(&mut out);
    out
}

/// The least-squares sine through steady-state output, against the tone that went in.
struct Fit {
    gain_db: f64,
    /// What is not the tone: images, aliases, and the rounding of both ends to 16 bits.
    residue_db: f64,
    /// How much later the sine is than the tone that went in, modulo a period.
    late_ms: f64,
}

fn fit(hz: f64, from_hz: u32, to_hz: u32) -> Fit {
    let out = samples(&resampled(from_hz, to_hz, &tone(hz, from_hz, from_hz as usize / 4)));
    let settled = to_hz as usize / 20..to_hz as usize / 5;
    let step = TAU * hz / f64::from(to_hz);
    let [mut ss, mut sc, mut cc, mut sy, mut cy, mut yy] = [0.0; 6];
    for n in settled.clone() {
        let (y, (s, c)) = (f64::from(out[n]), (step * n as f64).sin_cos());
        for (sum, product) in [(&mut ss, s * s), (&mut sc, s * c), (&mut cc, c * c)] {
            *sum += product;
        }
        for (sum, product) in [(&mut sy, s * y), (&mut cy, c * y), (&mut yy, y * y)] {
            *sum += product;
        }
    }
    let det = ss * cc - sc * sc;
    let (a, b) = ((sy * cc - cy * sc) / det, (cy * ss - sy * sc) / det);
    let residue = (yy - a * sy - b * cy) / settled.len() as f64;
    Fit {
        gain_db: 20.0 * (a.hypot(b) / AMPLITUDE).log10(),
        residue_db: 10.0 * (residue.max(1e-9) / (AMPLITUDE * AMPLITUDE / 2.0)).log10(),
        late_ms: (-b.atan2(a) / TAU).rem_euclid(1.0) * 1_000.0 / hz,
    }
}

#[test]
fn speech_passes_level_and_without_images() {
    for (from_hz, to_hz) in PAIRS {
        for hz in (200..=3_400).step_by(50) {
            let Fit { gain_db, residue_db, .. } = fit(f64::from(hz), from_hz, to_hz);
            assert!(gain_db.abs() <= 0.05, "{from_hz}->{to_hz}, {hz} Hz: gain {gain_db:.3} dB");
            assert!(residue_db <= -90.0, "{from_hz}->{to_hz}, {hz} Hz: residue {residue_db:.1} dB");
        }
    }
}

#[test]
fn what_the_lower_rate_cannot_hold_leaves_no_alias() {
    for (from_hz, to_hz) in PAIRS.into_iter().filter(|(from_hz, to_hz)| from_hz > to_hz) {
        for hz in (to_hz / 2 + 600..from_hz / 2).step_by(50) {
            let out = samples(&resampled(from_hz, to_hz, &tone(f64::from(hz), from_hz, from_hz as usize / 4)));
            let settled = &out[to_hz as usize / 20..to_hz as usize / 5];
            let power = settled.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / settled.len() as f64;
            let alias_db = 10.0 * (power.max(1e-9) / (AMPLITUDE * AMPLITUDE / 2.0)).log10();
            assert!(alias_db <= -90.0, "{from_hz}->{to_hz}, {hz} Hz: alias {alias_db:.1} dB");
        }
    }
}

#[test]
fn every_tone_is_late_by_the_stated_delay_and_no_frame_waits() {
    for (from_hz, to_hz) in PAIRS {
        let mut resampler = Resampler::new(from_hz, to_hz).unwrap();
        let delay_ms = f64::from(resampler.delay_ms());
        assert!(delay_ms <= 6.0);
        for hz in [210.0, 330.0, 1_010.0, 2_930.0, 3_370.0] {
            let period_ms = 1_000.0 / hz;
            let off = (fit(hz, from_hz, to_hz).late_ms - delay_ms + period_ms / 2.0).rem_euclid(period_ms);
            assert!((off - period_ms / 2.0).abs() < 0.002, "{from_hz}->{to_hz}, {hz} Hz: off by {off} ms");
        }
        for _ in 0..3 {
            let mut out = Vec::new();
            resampler.push(&tone(440.0, from_hz, from_hz as usize / 50), &mut out);
            assert_eq!(out.len(), 2 * to_hz as usize / 50);
        }
    }
}

#[test]
fn the_carriers_rate_and_the_models_are_less_than_3_ms_apart() {
    for (from_hz, to_hz) in [(8_000, 24_000), (24_000, 8_000)] {
        assert_eq!(Resampler::new(from_hz, to_hz).unwrap().delay_ms(), 2.75);
    }
}

#[test]
fn what_was_heard_at_the_lower_rate_is_there_sample_for_sample_at_the_triple() {
    let pcm = tone(1_234.0, 8_000, 500);
    let out = samples(&resampled(8_000, 24_000, &pcm));
    assert!(out.iter().skip(66).step_by(3).eq(&samples(&pcm)));
}

#[test]
fn a_flushed_stream_is_as_long_as_it_was_and_the_delay_more() {
    for (from_hz, to_hz) in PAIRS.into_iter().chain([(44_100, 8_000), (8_000, 48_000)]) {
        let delay = (Resampler::new(from_hz, to_hz).unwrap().delay_ms() * to_hz as f32 / 1_000.0).round() as usize;
        for len in [1, 2, 79, 80, 81, 160, 441, 1_000] {
            let out = resampled(from_hz, to_hz, &tone(440.0, from_hz, len));
            assert_eq!(out.len(), 2 * ((len * to_hz as usize).div_ceil(from_hz as usize) + delay), "{len}");
        }
        assert_eq!(resampled(from_hz, to_hz, &[]), []);
    }
}

#[test]
fn the_last_sample_pushed_comes_out_of_the_flush() {
    for (from_hz, to_hz) in PAIRS {
        for len in [240, 241, 479] {
            let mut pcm = vec![0; 2 * len];
            pcm[2 * len - 2..].copy_from_slice(&20_000_i16.to_le_bytes());
            let out = samples(&resampled(from_hz, to_hz, &pcm));
            let loudest = (0..out.len()).max_by_key(|n| out[*n]).unwrap() as f64 / f64::from(to_hz);
            let sent = (len - 1) as f64 / f64::from(from_hz);
            let delay = if from_hz * 3 == to_hz || from_hz == to_hz * 3 { 0.002_75 } else { 0.005 };
            assert!((loudest - sent - delay).abs() < 1.0 / f64::from(to_hz), "{from_hz}->{to_hz}, {len}");
        }
    }
}

#[test]
fn equal_rates_pass_through_untouched() {
    let mut resampler = Resampler::new(8_000, 8_000).unwrap();
    let mut out = vec![7];
    resampler.push(&[1, 2, 3, 4, 5], &mut out);
    resampler.flush(&mut out);
    assert_eq!((out, resampler.delay_ms()), (vec![7, 1, 2, 3, 4], 0.0));
}

#[test]
fn rates_of_compatible_servers_work_and_others_are_refused() {
    for rate_hz in [11_025, 22_050, 32_000, 44_100, 48_000] {
        for (from_hz, to_hz) in [(rate_hz, 8_000), (8_000, rate_hz)] {
            let Fit { gain_db, residue_db, .. } = fit(1_000.0, from_hz, to_hz);
            assert!(gain_db.abs() <= 0.05 && residue_db <= -85.0, "{from_hz}->{to_hz}: {gain_db} {residue_db}");
        }
    }
    for (from_hz, to_hz) in [(0, 8_000), (8_000, 0), (8_000, 8_001), (7_999, 7_999), (8_000, u32::MAX)] {
        assert_eq!(Resampler::new(from_hz, to_hz).unwrap_err(), ResampleError::Unsupported { from_hz, to_hz });
    }
}

#[test]
fn a_stream_begun_anew_carries_nothing_over() {
    for to_hz in [16_000, 24_000] {
        begun_anew(to_hz);
    }
}

fn begun_anew(to_hz: u32) {
    let pcm = tone(700.0, 8_000, 333);
    let fresh = resampled(8_000, to_hz, &pcm);
    let mut resampler = Resampler::new(8_000, to_hz).unwrap();
    let again = |resampler: &mut Resampler| {
        let mut out = Vec::new();
        resampler.push(&pcm, &mut out);
        resampler.flush(&mut out);
        out
    };
    assert_eq!(again(&mut resampler), fresh);
    assert_eq!(again(&mut resampler), fresh);
    resampler.push(&tone(300.0, 8_000, 241), &mut Vec::new());
    resampler.reset();
    assert_eq!(again(&mut resampler), fresh);
    resampler.push(&tone(300.0, 8_000, 241), &mut Vec::new());
    drop(resampler);
    assert_eq!(resampled(8_000, to_hz, &pcm), fresh);
}

#[test]
fn sound_after_a_long_silence_is_as_at_the_start() {
    let pcm = tone(700.0, 8_000, 320);
    let silence = vec![0; 2 * 800];
    for times in [2, 3] {
        let out = resampled(8_000, 8_000 * times, &[&pcm[..], &silence, &pcm].concat());
        let at = |sample: usize| 2 * times as usize * sample;
        assert_eq!(out[..at(320)], out[at(1_120)..at(1_440)]);
        assert!(out[at(480)..at(1_120)].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn streams_that_share_a_filter_do_not_hear_each_other() {
    for to_hz in [8_000, 16_000] {
        share_a_filter(to_hz);
    }
}

fn share_a_filter(to_hz: u32) {
    let inputs: Vec<Vec<u8>> = (0..40).map(|n| tone(200.0 + 50.0 * f64::from(n), 24_000, 1_440)).collect();
    let mut streams: Vec<_> = inputs.iter().map(|_| (Resampler::new(24_000, to_hz).unwrap(), Vec::new())).collect();
    for at in (0..2_880).step_by(360) {
        for (pcm, (resampler, out)) in inputs.iter().zip(&mut streams) {
            resampler.push(&pcm[at..at + 360], out);
        }
    }
    for (pcm, (mut resampler, mut out)) in inputs.iter().zip(streams) {
        resampler.flush(&mut out);
        assert_eq!(out, resampled(24_000, to_hz, pcm));
    }
}

#[test]
fn a_stream_goes_on_after_moving_to_another_thread() {
    for to_hz in [16_000, 24_000] {
        moves_to_another_thread(to_hz);
    }
}

fn moves_to_another_thread(to_hz: u32) {
    let pcm = tone(700.0, 8_000, 320);
    let (head, tail) = pcm.split_at(250);
    let mut resampler = Resampler::new(8_000, to_hz).unwrap();
    let mut out = Vec::new();
    resampler.push(head, &mut out);
    let moved = std::thread::scope(|scope| {
        let rest = scope.spawn(move || {
            resampler.push(tail, &mut out);
            resampler.flush(&mut out);
            out
        });
        rest.join().unwrap()
    });
    assert_eq!(moved, resampled(8_000, to_hz, &pcm));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn output_does_not_depend_on_how_the_input_was_cut(
        (from_hz, to_hz) in prop::sample::select(&PAIRS[..]),
        cuts in prop::collection::vec(prop_oneof![0_usize..12, 0_usize..1_000], 1..25),
        seed in any::<u32>(),
    ) {
        let noise = |n: usize| (n as u32).wrapping_add(seed).wrapping_mul(2_654_435_761).to_be_bytes();
        let pcm: Vec<u8> = (0..cuts.iter().sum()).flat_map(|n| [noise(n)[0], noise(n)[1]]).collect();
        let mut resampler = Resampler::new(from_hz, to_hz).unwrap();
        let (mut out, mut at) = (Vec::new(), 0);
        for cut in cuts {
            resampler.push(&pcm[2 * at..2 * (at + cut)], &mut out);
            at += cut;
        }
        resampler.flush(&mut out);
        prop_assert_eq!(out, resampled(from_hz, to_hz, &pcm));
    }
}
