use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::opus::Coder;

fn settings(rate_hz: u32) -> Settings {
    Settings::recording(rate_hz, Coder::Silk)
}

/// Speech-like noise on each side in turn, half a second each: syllables of 120 ms.
fn talk(rate_hz: u32, secs: u32) -> Vec<i16> {
    let mut noise = 1_u32;
    let voice = |n: u32, noise: &mut u32| {
        *noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let turn = std::f64::consts::TAU * f64::from(n) / f64::from(rate_hz);
        let syllable = (f64::from(n % (rate_hz / 8)) / f64::from(rate_hz / 8) * std::f64::consts::PI).sin();
        let buzz = (140.0 * turn).sin() + 0.6 * (280.0 * turn).sin() + 0.4 * (900.0 * turn).sin();
        (syllable * (4_000.0 * buzz + f64::from((*noise >> 16) as u16 as i16) / 20.0)) as i16
    };
    let samples = (0..rate_hz * secs).flat_map(|n| {
        let sample = voice(n, &mut noise);
        if (n / (rate_hz / 2)).is_multiple_of(2) { [sample, 0] } else { [0, sample] }
    });
    samples.collect()
}

fn encode(settings: Settings, samples: &[i16]) -> Vec<u8> {
    let mut file = OggOpus::new(Vec::new(), settings, 7, &[("TITLE", "a call")]).unwrap();
    samples.chunks(333).for_each(|some| file.push(some).unwrap());
    file.finish().unwrap()
}

fn side(samples: &[i16], side: usize) -> Vec<i16> {
    samples.iter().skip(side).step_by(2).copied().collect()
}

fn rms(samples: &[i16]) -> f64 {
    let energy: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (energy / samples.len().max(1) as f64).sqrt()
}

#[test]
fn a_recording_comes_back_as_long_as_it_was_and_in_place() {
    let both = [Coder::Silk, Coder::Celt];
    for (rate_hz, coder) in [8_000, 16_000, 24_000].into_iter().flat_map(|hz| both.map(|coder| (hz, coder))) {
        let talk = talk(rate_hz, 4);
        let file = encode(Settings::recording(rate_hz, coder), &talk);
        let decoded = read(Cursor::new(&file)).unwrap();
        assert_eq!((decoded.rate_hz, decoded.channels), (rate_hz, Channels::Stereo));
        assert_eq!(decoded.samples.len(), talk.len());
        for channel in 0..2 {
            let (before, after) = (side(&talk, channel), side(&decoded.samples, channel));
            let hop = rate_hz as usize / 50;
            for (n, (before, after)) in before.chunks(hop).zip(after.chunks(hop)).enumerate() {
                let (before, after) = (rms(before), rms(after));
                assert!(
                    (before - after).abs() < 0.35 * before + 250.0,
                    "{rate_hz} Hz {coder:?}, frame {n}: {before} {after}"
                );
            }
        }
    }
}

#[test]
fn one_side_is_hardly_heard_on_the_other() {
    let talk = talk(8_000, 10);
    // Half a second of the left, half of the right: what leaks is what is heard while that side was silent.
    for (coder, channel) in [(Coder::Silk, 0), (Coder::Silk, 1), (Coder::Celt, 0), (Coder::Celt, 1)] {
        let decoded = read(Cursor::new(encode(Settings::recording(8_000, coder), &talk))).unwrap();
        let (loud, leaked): (Vec<_>, Vec<_>) = side(&decoded.samples, channel)
            .chunks(4_000)
            .enumerate()
            .map(|(n, half)| (n % 2 == channel, rms(&half[800..])))
            .partition(|(speaks, _)| *speaks);
        let mean = |levels: Vec<(bool, f64)>| levels.iter().map(|(_, level)| level).sum::<f64>() / levels.len() as f64;
        let down_db = 20.0 * (mean(loud) / mean(leaked).max(1.0)).log10();
        assert!(down_db > 25.0, "{coder:?}: side {channel} is only {down_db:.1} dB down");
    }
}

#[test]
fn an_empty_recording_is_a_file_all_the_same() {
    let decoded = read(Cursor::new(encode(settings(8_000), &[]))).unwrap();
    assert_eq!(decoded.samples, []);
}

#[test]
fn an_hour_of_speech_is_small() {
    let file = encode(settings(8_000), &talk(8_000, 20));
    assert!(file.len() < 20 * 5_000, "{} bytes for 20 s", file.len());
    let silence = encode(settings(8_000), &vec![0; 20 * 16_000]);
    assert!(silence.len() < 20 * 1_000, "{} bytes for 20 s of silence", silence.len());
}

#[test]
fn what_is_no_file_of_ours_is_refused() {
    let whole = encode(settings(8_000), &talk(8_000, 2));
    for junk in [&b""[..], &b"RIFF and more that is no Ogg at all"[..], &whole[..whole.len() / 2]] {
        assert!(matches!(read(Cursor::new(junk)), Err(OggError::Malformed(_) | OggError::Io(_))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_length_comes_back_exactly(pairs in 0_usize..3_000) {
        let samples = vec![100_i16; pairs * 2];
        prop_assert_eq!(read(Cursor::new(encode(settings(8_000), &samples))).unwrap().samples.len(), samples.len());
    }
}
