//! Against the Recommendation's tables of decision and quantised values, read independently of the shifts above.

use super::*;

/// Interval width of each segment, in 16-bit units, and where the first begins to repeat: G.711 tables 1a and 2a.
struct Table {
    /// Lower ends of the 128 intervals of one sign, and the upper end of the last.
    decisions: Vec<i32>,
    /// The value each interval is decoded to.
    values: Vec<i32>,
}

/// Table 2a: one interval of 1 and fifteen of 2, then sixteen each of 4, 8, … 256, of 14-bit units.
fn ulaw_table() -> Table {
    let widths = [1].into_iter().chain([2; 15]).chain((2..=8).flat_map(|power| [1 << power; 16]));
    let (mut decisions, mut values) = (vec![0], vec![0]);
    for width in widths {
        let from = decisions[decisions.len() - 1];
        decisions.push(from + width);
        values.push(from + width / 2);
    }
    // The interval from zero is decoded to zero; every other to its middle.
    values.remove(0);
    values[0] = 0;
    Table { decisions: scaled(decisions, 4), values: scaled(values, 4) }
}

/// Table 1a: 32 intervals of 2, then sixteen each of 4, 8, … 128, of 13-bit units; each decoded to its middle.
fn alaw_table() -> Table {
    let widths = [2; 32].into_iter().chain((2..=7).flat_map(|power| [1 << power; 16]));
    let (mut decisions, mut values) = (vec![0], vec![]);
    for width in widths {
        let from = decisions[decisions.len() - 1];
        decisions.push(from + width);
        values.push(from + width / 2);
    }
    Table { decisions: scaled(decisions, 8), values: scaled(values, 8) }
}

fn scaled(units: Vec<i32>, by: i32) -> Vec<i32> {
    units.into_iter().map(|value| value * by).collect()
}

impl Table {
    /// Which of the 128 intervals a magnitude lies in; the last one takes what is beyond it.
    fn interval(&self, magnitude: i32) -> usize {
        (self.decisions.partition_point(|from| *from <= magnitude) - 1).min(127)
    }
}

/// The magnitude by which G.191 places a sample: it shifts the ones' complement of a negative one.
fn magnitude(sample: i16) -> i32 {
    i32::from(if sample < 0 { -1 - sample } else { sample })
}

#[test]
fn tables_reach_the_recommendations_ends() {
    let (mu, a) = (ulaw_table(), alaw_table());
    assert_eq!((mu.decisions.len(), mu.values.len()), (129, 128));
    assert_eq!((mu.decisions[128] / 4, mu.values[127] / 4), (8_159, 8_031));
    assert_eq!((a.decisions.len(), a.values.len()), (129, 128));
    assert_eq!((a.decisions[128] / 8, a.values[127] / 8), (4_096, 4_032));
}

#[test]
fn ulaw_is_bit_exact_for_every_sample_and_code() {
    let table = ulaw_table();
    for sample in i16::MIN..=i16::MAX {
        let sign = if sample < 0 { 0x80 } else { 0 };
        assert_eq!(ulaw_encode(sample), 0xff - (sign + table.interval(magnitude(sample)) as u8), "{sample}");
    }
    for code in 0..=255_u8 {
        let value = table.values[usize::from((0xff - code) % 0x80)];
        assert_eq!(i32::from(ulaw_decode(code)), if code < 0x80 { -value } else { value }, "{code:#x}");
    }
}

#[test]
fn alaw_is_bit_exact_for_every_sample_and_code() {
    let table = alaw_table();
    for sample in i16::MIN..=i16::MAX {
        let sign = if sample < 0 { 0 } else { 0x80 };
        assert_eq!(alaw_encode(sample) ^ 0x55, sign + table.interval(magnitude(sample)) as u8, "{sample}");
    }
    for code in 0..=255_u8 {
        let value = table.values[usize::from((code ^ 0x55) % 0x80)];
        assert_eq!(i32::from(alaw_decode(code)), if code < 0x80 { -value } else { value }, "{code:#x}");
    }
}

#[test]
fn known_vectors_hold() {
    for (sample, mu, a) in [
        (0, 0xff, 0xd5),
        (-1, 0x7f, 0x55),
        (1_000, 0xce, 0xfa),
        (-1_000, 0x4e, 0x7a),
        (i16::MAX, 0x80, 0xaa),
        (i16::MIN, 0x00, 0x2a),
    ] {
        assert_eq!((ulaw_encode(sample), alaw_encode(sample)), (mu, a), "{sample}");
    }
    for (code, mu, a) in [(0x00, -32_124, -5_504), (0x7f, 0, -848), (0x80, 32_124, 5_504), (0xd5, 716, 8)] {
        assert_eq!((ulaw_decode(code), alaw_decode(code)), (mu, a), "{code:#x}");
    }
}

#[test]
fn every_code_survives_a_round_trip() {
    for code in 0..=255 {
        assert_eq!(alaw_encode(alaw_decode(code)), code);
        // μ-law has two zeros; the negative one comes back as the positive.
        assert_eq!(ulaw_encode(ulaw_decode(code)), if code == 0x7f { 0xff } else { code });
    }
}

#[test]
fn slices_append_what_the_samples_say_and_ignore_an_odd_byte() {
    let codes: Vec<u8> = (0..=255).collect();
    let mut pcm = vec![9, 9];
    ulaw_to_pcm(&codes, &mut pcm);
    assert_eq!(pcm[2..4], ulaw_decode(0).to_le_bytes());
    pcm.push(1);
    let mut back = vec![3];
    pcm_to_ulaw(&pcm[2..], &mut back);
    assert_eq!((back[0], back.len(), back[256]), (3, 257, 0xff));

    let mut pcm = Vec::new();
    alaw_to_pcm(&codes, &mut pcm);
    pcm.push(1);
    let mut back = Vec::new();
    pcm_to_alaw(&pcm, &mut back);
    assert_eq!(back, codes);
}
