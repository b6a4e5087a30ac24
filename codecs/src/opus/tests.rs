use super::*;

const RATES_HZ: [u32; 4] = [8_000, 16_000, 24_000, 48_000];

fn settings(rate_hz: u32, channels: Channels) -> Settings {
    Settings { rate_hz, channels, bitrate_bps: 64_000 * channels.count() as u32, complexity: 5, coder: Coder::Silk }
}

/// A second of two tones, one to a channel.
fn tones(rate_hz: u32, channels: Channels) -> Vec<i16> {
    let hz = [440.0, 1_000.0];
    let sample = |n: usize, hz: f64| {
        (8_000.0 * (std::f64::consts::TAU * hz * n as f64 / f64::from(rate_hz)).sin()).round() as i16
    };
    (0..rate_hz as usize).flat_map(|n| hz.map(|hz| sample(n, hz)).into_iter().take(channels.count())).collect()
}

fn round_trip(pcm: &[i16], encoder: &mut Encoder, decoder: &mut Decoder, frame: usize) -> Vec<i16> {
    let (mut packet, mut out) = (Vec::new(), Vec::new());
    for frame in pcm.chunks_exact(frame) {
        packet.clear();
        let len = encoder.encode(frame, &mut packet).unwrap();
        assert_eq!(len, packet.len());
        assert_eq!(decoder.decode(Some(&packet), &mut out).unwrap(), frame.len());
    }
    out
}

/// The error of the decoded signal against the original, both from the second half, in dB below the original.
fn snr_db(original: &[i16], decoded: &[i16]) -> f64 {
    let half = original.len() / 2;
    let (mut signal, mut noise) = (0.0, 1e-9);
    for (a, b) in original[half..].iter().zip(&decoded[half..]) {
        signal += f64::from(*a).powi(2);
        noise += (f64::from(*a) - f64::from(*b)).powi(2);
    }
    10.0 * f64::log10(signal / noise)
}

#[test]
fn tones_survive_at_every_rate_in_mono_and_stereo() {
    for (rate_hz, channels) in RATES_HZ.into_iter().flat_map(|hz| [(hz, Channels::Mono), (hz, Channels::Stereo)]) {
        let settings = settings(rate_hz, channels);
        let mut encoder = Encoder::new(settings).unwrap();
        let mut decoder = Decoder::new(rate_hz, channels).unwrap();
        let pcm = tones(rate_hz, channels);
        let out = round_trip(&pcm, &mut encoder, &mut decoder, settings.frame_samples());
        let late = encoder.lookahead() as usize * channels.count();
        let snr = snr_db(&pcm[..pcm.len() - late], &out[late..]);
        assert!(snr > 8.0, "{rate_hz} Hz {channels:?}: {snr:.1} dB");
    }
}

#[test]
fn bitrate_bounds_the_size_of_what_is_encoded() {
    let pcm = tones(16_000, Channels::Mono);
    let bytes = |bitrate_bps| {
        let settings = Settings { bitrate_bps, ..settings(16_000, Channels::Mono) };
        let (mut encoder, mut out) = (Encoder::new(settings).unwrap(), Vec::new());
        pcm.chunks_exact(settings.frame_samples()).map(|frame| encoder.encode(frame, &mut out).unwrap()).sum::<usize>()
    };
    let (low, high) = (bytes(8_000), bytes(64_000));
    assert!(low < 2_000 && high > 2 * low, "{low} and {high} bytes a second");
}

#[test]
fn a_lost_packet_is_concealed_and_the_stream_goes_on() {
    let settings = settings(16_000, Channels::Mono);
    let mut encoder = Encoder::new(settings).unwrap();
    let mut decoder = Decoder::new(16_000, Channels::Mono).unwrap();
    let pcm = tones(16_000, Channels::Mono);
    let mut out = round_trip(&pcm, &mut encoder, &mut decoder, settings.frame_samples());
    assert_eq!(decoder.decode(None, &mut out).unwrap(), settings.frame_samples());
    assert!(out[pcm.len()..].iter().any(|sample| *sample != 0));
}

#[test]
fn settings_out_of_range_are_refused() {
    let fine = settings(8_000, Channels::Mono);
    for wrong in [
        Settings { rate_hz: 44_100, ..fine },
        Settings { bitrate_bps: 0, ..fine },
        Settings { bitrate_bps: u32::MAX, ..fine },
        Settings { complexity: 11, ..fine },
    ] {
        assert!(matches!(Encoder::new(wrong), Err(OpusError::Settings(_))), "{wrong:?}");
    }
    assert!(matches!(Decoder::new(11_025, Channels::Mono), Err(OpusError::Settings(_))));
}

#[test]
fn wrong_lengths_and_junk_are_errors_and_leave_the_output_alone() {
    let mut encoder = Encoder::new(settings(8_000, Channels::Stereo)).unwrap();
    let mut packet = vec![1];
    let refused = encoder.encode(&[0; 319], &mut packet);
    assert!(matches!(refused, Err(OpusError::FrameLength { expected: 320, got: 319 })));
    assert_eq!(packet, [1]);

    let mut decoder = Decoder::new(8_000, Channels::Mono).unwrap();
    let mut out = vec![1];
    // The second says four frames of 20 ms, which is more than there is room for.
    for junk in [&[][..], &[0x4b, 4, 0, 0, 0, 0, 0, 0, 0, 0]] {
        assert!(matches!(decoder.decode(Some(junk), &mut out), Err(OpusError::Codec(_))));
        assert_eq!(out, [1]);
    }
}
