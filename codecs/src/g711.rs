//! ITU-T G.711, both laws, as the reference code of G.191 computes them.
//!
//! μ-law codes the upper 14 bits of a sample and A-law the upper 12, a negative one by its ones' complement. So the
//! tables are indexed by those bits alone, and stay small in the cache.

use crate::pcm::write_pairs;

/// Half of what separates the decision values of the two laws: added to the magnitude, it puts every segment's start
/// on a power of two.
const ULAW_BIAS: u16 = 33;
/// The greatest biased magnitude μ-law can code, in 14-bit units.
const ULAW_CLIP: u16 = 0x1fff;
/// G.711 inverts every second bit of an A-law code, so that silence on the line is not a run of zeros.
const ALAW_EVEN_BITS: u8 = 0x55;
const SIGN: u8 = 0x80;

static ULAW_TO_PCM: [[u8; 2]; 256] = decode_table(Law::Mu);
static ALAW_TO_PCM: [[u8; 2]; 256] = decode_table(Law::A);
static PCM_TO_ULAW: [u8; 1 << 14] = encode_table(Law::Mu);
static PCM_TO_ALAW: [u8; 1 << 12] = encode_table(Law::A);

/// The μ-law code of a sample.
#[must_use]
pub fn ulaw_encode(sample: i16) -> u8 {
    PCM_TO_ULAW[usize::from(sample.cast_unsigned() >> 2)]
}

/// The sample a μ-law code stands for.
#[must_use]
pub fn ulaw_decode(code: u8) -> i16 {
    i16::from_le_bytes(ULAW_TO_PCM[usize::from(code)])
}

/// The A-law code of a sample.
#[must_use]
pub fn alaw_encode(sample: i16) -> u8 {
    PCM_TO_ALAW[usize::from(sample.cast_unsigned() >> 4)]
}

/// The sample an A-law code stands for.
#[must_use]
pub fn alaw_decode(code: u8) -> i16 {
    i16::from_le_bytes(ALAW_TO_PCM[usize::from(code)])
}

/// Appends μ-law audio as s16le.
pub fn ulaw_to_pcm(codes: &[u8], out: &mut Vec<u8>) {
    write_pairs(codes, out, |code| ULAW_TO_PCM[usize::from(code)]);
}

/// Appends s16le audio as μ-law; an odd trailing byte is ignored.
pub fn pcm_to_ulaw(pcm: &[u8], out: &mut Vec<u8>) {
    out.extend(pcm.as_chunks::<2>().0.iter().map(|sample| ulaw_encode(i16::from_le_bytes(*sample))));
}

/// Appends A-law audio as s16le.
pub fn alaw_to_pcm(codes: &[u8], out: &mut Vec<u8>) {
    write_pairs(codes, out, |code| ALAW_TO_PCM[usize::from(code)]);
}

/// Appends s16le audio as A-law; an odd trailing byte is ignored.
pub fn pcm_to_alaw(pcm: &[u8], out: &mut Vec<u8>) {
    out.extend(pcm.as_chunks::<2>().0.iter().map(|sample| alaw_encode(i16::from_le_bytes(*sample))));
}

#[derive(Clone, Copy)]
enum Law {
    Mu,
    A,
}

const fn decode_table(law: Law) -> [[u8; 2]; 256] {
    let mut table = [[0; 2]; 256];
    let mut code = 0;
    while code < 256 {
        let sample = match law {
            Law::Mu => ulaw_expand(code as u8),
            Law::A => alaw_expand(code as u8),
        };
        table[code] = sample.to_le_bytes();
        code += 1;
    }
    table
}

/// Codes by the sample's upper bits, as many as the table is long.
const fn encode_table<const LEN: usize>(law: Law) -> [u8; LEN] {
    let mut table = [0; LEN];
    let mut upper = 0;
    while upper < LEN {
        let sample = ((upper << 16) / LEN) as u16 as i16;
        table[upper] = match law {
            Law::Mu => ulaw_compress(sample),
            Law::A => alaw_compress(sample),
        };
        upper += 1;
    }
    table
}

const fn ulaw_compress(sample: i16) -> u8 {
    let biased = (ones_complement_magnitude(sample) >> 2) + ULAW_BIAS;
    let biased = if biased > ULAW_CLIP { ULAW_CLIP } else { biased };
    let segment = 10 - biased.leading_zeros() as u8;
    let step = (biased >> (segment + 1)) as u8 & 0x0f;
    let sign = if sample < 0 { SIGN } else { 0 };
    !(sign | segment << 4 | step)
}

const fn ulaw_expand(code: u8) -> i16 {
    let (segment, step) = (!code >> 4 & 7, (!code & 0x0f) as i16);
    let magnitude = (((step << 1) + ULAW_BIAS as i16) << segment) - ULAW_BIAS as i16;
    if code & SIGN == 0 { -(magnitude << 2) } else { magnitude << 2 }
}

const fn alaw_compress(sample: i16) -> u8 {
    let magnitude = ones_complement_magnitude(sample) >> 4;
    let code = if magnitude < 32 {
        magnitude as u8
    } else {
        let segment = 12 - magnitude.leading_zeros() as u8;
        (segment << 4) | ((magnitude >> (segment - 1)) as u8 & 0x0f)
    };
    (if sample < 0 { code } else { code | SIGN }) ^ ALAW_EVEN_BITS
}

const fn alaw_expand(code: u8) -> i16 {
    let plain = code ^ ALAW_EVEN_BITS;
    let (segment, step) = (plain >> 4 & 7, (plain & 0x0f) as i16);
    let magnitude = match segment {
        0 => (step << 4) + 8,
        _ => ((step << 4) + 0x108) << (segment - 1),
    };
    if code & SIGN == 0 { -magnitude } else { magnitude }
}

const fn ones_complement_magnitude(sample: i16) -> u16 {
    (if sample < 0 { !sample } else { sample }).cast_unsigned()
}

#[cfg(test)]
mod tests;
