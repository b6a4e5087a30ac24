//! Live stages allocate nothing per frame once their buffers have grown.

use allocation_counter::measure;
use codecs::{Framer, Resampler, g711, level, pcm};

/// 20 ms at that rate, differing from frame to frame.
fn frame(rate_hz: u32, nth: u32) -> Vec<u8> {
    let sample = |n: u32| (n + nth).wrapping_mul(2_654_435_761).to_be_bytes();
    (0..rate_hz / 50).flat_map(|n| [sample(n)[0], sample(n)[1]]).collect()
}

/// Allocations of a second of frames, after a second to warm up.
fn allocations(rate_hz: u32, mut stage: impl FnMut(&[u8])) -> u64 {
    let frames: Vec<_> = (0..50).map(|nth| frame(rate_hz, nth)).collect();
    frames.iter().for_each(|frame| stage(frame));
    measure(|| frames.iter().for_each(|frame| stage(frame))).count_total
}

#[test]
fn resampling_allocates_nothing_whatever_the_message_size() {
    for (from_hz, to_hz) in [(8_000, 24_000), (24_000, 8_000), (8_000, 8_000), (16_000, 24_000), (24_000, 16_000)] {
        let mut resampler = Resampler::new(from_hz, to_hz).unwrap();
        let mut out = Vec::new();
        for (cut_bytes, flushed) in [(960, false), (130, false), (34, true)] {
            let count = allocations(from_hz, |frame| {
                out.clear();
                frame.chunks(cut_bytes).for_each(|cut| resampler.push(cut, &mut out));
                if flushed {
                    resampler.flush(&mut out);
                }
            });
            assert_eq!(count, 0, "{from_hz}->{to_hz} in cuts of {cut_bytes}");
        }
    }
}

#[test]
fn companding_converting_and_measuring_allocate_nothing() {
    let (mut codes, mut bytes, mut integers, mut floats) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut loudest = level::SILENCE_DBFS;
    let count = allocations(8_000, |frame| {
        codes.clear();
        bytes.clear();
        integers.clear();
        floats.clear();
        g711::pcm_to_ulaw(frame, &mut codes);
        g711::ulaw_to_pcm(&codes, &mut bytes);
        g711::pcm_to_alaw(frame, &mut codes);
        g711::alaw_to_pcm(&codes, &mut bytes);
        pcm::bytes_to_i16(frame, &mut integers);
        pcm::i16_to_bytes(&integers, &mut bytes);
        pcm::bytes_to_f32(frame, &mut floats);
        pcm::f32_to_bytes(&floats, &mut bytes);
        loudest = loudest.max(level::rms_dbfs(frame));
    });
    assert_eq!(count, 0);
    assert!(loudest > level::SILENCE_DBFS);
}

#[test]
fn framing_allocates_only_the_chunks_it_hands_on() {
    let mut framer = Framer::new(3_200);
    let mut chunks = 0;
    let frames: Vec<_> = (0..50).map(|nth| frame(8_000, nth)).collect();
    let count = measure(|| frames.iter().for_each(|frame| framer.push(frame, &mut |_| chunks += 1))).count_total;
    assert_eq!((chunks, count), (5, 5));
}
