//! Between a rate and its triple: 8 kHz to the model's 24 and back.
//!
//! A third-band filter of 131 taps (Kaiser window, half its height at the lower rate's Nyquist frequency): every third tap is zero but for
//! the one in the middle. So of three samples one goes through as it is, and the other two are sums over 44 of the lower rate. There are no
//! blocks: what is pushed comes out, 2.75 ms late at 8 kHz. Speech up to 3.4 kHz is level to 0.001 dB, its images are 92 dB below it, and aliases 93.
//!
//! Sixteen outputs are summed side by side, in the order in which one would be: so they do not depend on how a stream was cut, and the compiler
//! fills vectors of any width with them.

use std::f64::consts::PI;
use std::sync::LazyLock;

use crate::pcm::round_to_i16;

/// Of each phase that is a sum.
const TAPS: usize = 44;
/// Where the middle of the filter is, in samples of the lower rate.
const MIDDLE: usize = TAPS / 2;
/// Outputs that are summed side by side.
const LANES: usize = 16;
/// Samples of the lower rate that are filtered at a time: 20 ms of 8 kHz.
const GROUP: usize = 160;
/// The window's shape, of 96 dB in the stop band.
const KAISER_BETA: f64 = 9.6;

/// For each tap, its weight in the first and in the second sample after one that goes through. As an interpolator has them: oldest first.
static WEIGHTS: LazyLock<[[f32; 2]; TAPS]> = LazyLock::new(weights);

fn weights() -> [[f32; 2]; TAPS] {
    let mut weights = [[0.0; 2]; TAPS];
    for phase in 0..2 {
        let tap = |k: usize| third_band(3 * (TAPS - 1 - k) + phase + 1);
        // Each phase alone passes a constant as it is: what it would be off by is heard as a tone at the lower rate.
        let sum: f64 = (0..TAPS).map(tap).sum();
        for (k, weight) in weights.iter_mut().enumerate() {
            weight[phase] = (tap(k) / sum) as f32;
        }
    }
    weights
}

/// A tap of the whole filter, of 0 to twice `3 * MIDDLE`, to scale; not the one in the middle.
fn third_band(tap: usize) -> f64 {
    let middle = (3 * MIDDLE) as f64;
    let at = tap as f64 - middle;
    let x = PI * at / 3.0;
    x.sin() / x * bessel(KAISER_BETA * (1.0 - (at / middle).powi(2)).sqrt())
}

/// The modified Bessel function of the first kind, of order 0.
fn bessel(x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..40 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

/// From a rate to its triple.
#[derive(Debug)]
pub(super) struct Interpolator {
    /// The last samples, oldest first.
    past: [f32; TAPS - 1],
    /// Nothing was pushed since the stream began.
    fresh: bool,
}

impl Default for Interpolator {
    fn default() -> Self {
        Self { past: [0.0; TAPS - 1], fresh: true }
    }
}

impl Interpolator {
    /// In output samples.
    pub(super) const DELAY: usize = 3 * MIDDLE;

    pub(super) fn push(&mut self, pcm: &[u8], out: &mut Vec<u8>) {
        let samples = pcm.as_chunks::<2>().0;
        self.fresh &= samples.is_empty();
        samples.chunks(GROUP).for_each(|group| self.group(group, out));
    }

    /// Appends what is still inside, and starts anew.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        if !self.fresh {
            self.group(&[[0; 2]; MIDDLE], out);
        }
        *self = Self::default();
    }

    fn group(&mut self, samples: &[[u8; 2]], out: &mut Vec<u8>) {
        const PAST: usize = TAPS - 1;
        let start = out.len();
        out.resize(start + 6 * samples.len(), 0);
        if is_silent(&self.past) && samples.iter().all(|sample| *sample == [0; 2]) {
            return;
        }
        let mut window = [0.0; PAST + GROUP];
        window[..PAST].copy_from_slice(&self.past);
        for (sample, bytes) in window[PAST..].iter_mut().zip(samples) {
            *sample = f32::from(i16::from_le_bytes(*bytes));
        }
        self.past.copy_from_slice(&window[samples.len()..][..PAST]);
        let outputs = out[start..].as_chunks_mut::<6>().0;
        for (at, outputs) in outputs.chunks_mut(LANES).enumerate() {
            let window = &window[at * LANES..][..PAST + LANES];
            let [first, second] = sums(window, window);
            for (lane, triple) in outputs.iter_mut().enumerate() {
                let through = window[lane + MIDDLE - 1];
                let [a, b] = round_to_i16(through).to_le_bytes();
                let [c, d] = round_to_i16(first[lane]).to_le_bytes();
                let [e, f] = round_to_i16(second[lane]).to_le_bytes();
                *triple = [a, b, c, d, e, f];
            }
        }
    }
}

/// From a rate to its third.
#[derive(Debug)]
pub(super) struct Decimator {
    /// The last samples, oldest first: of three, all the first ones, all the second ones, all the third ones.
    past: [[f32; TAPS]; 3],
    /// Of the three that become a sample, those that came: as many bytes.
    begun: ([u8; 6], usize),
    fresh: bool,
}

impl Default for Decimator {
    fn default() -> Self {
        Self { past: [[0.0; TAPS]; 3], begun: ([0; 6], 0), fresh: true }
    }
}

impl Decimator {
    /// In output samples.
    pub(super) const DELAY: usize = MIDDLE;

    pub(super) fn push(&mut self, pcm: &[u8], out: &mut Vec<u8>) {
        let mut pcm = &pcm[..pcm.len() & !1];
        self.fresh &= pcm.is_empty();
        let (begun, len) = &mut self.begun;
        if *len > 0 {
            let (head, tail) = pcm.split_at(pcm.len().min(6 - *len));
            begun[*len..*len + head.len()].copy_from_slice(head);
            *len += head.len();
            pcm = tail;
            if *len < 6 {
                return;
            }
            let whole = *begun;
            *len = 0;
            self.group(&[whole], out);
        }
        let (triples, rest) = pcm.as_chunks::<6>();
        triples.chunks(GROUP).for_each(|group| self.group(group, out));
        self.begun.0[..rest.len()].copy_from_slice(rest);
        self.begun.1 = rest.len();
    }

    /// Appends what is still inside, and starts anew.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        if !self.fresh {
            let missing = (6 - self.begun.1) % 6;
            self.push(&[0; 6][..missing], out);
            self.group(&[[0; 6]; MIDDLE], out);
        }
        *self = Self::default();
    }

    fn group(&mut self, triples: &[[u8; 6]], out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + 2 * triples.len(), 0);
        if self.past.iter().all(|past| is_silent(past)) && triples.iter().all(|triple| *triple == [0; 6]) {
            return;
        }
        let mut windows = [[0.0; TAPS + GROUP]; 3];
        for (window, past) in windows.iter_mut().zip(&self.past) {
            window[..TAPS].copy_from_slice(past);
        }
        let [through, second, third] = &mut windows;
        for (at, [a, b, c, d, e, f]) in triples.iter().enumerate() {
            through[TAPS + at] = f32::from(i16::from_le_bytes([*a, *b]));
            second[TAPS + at] = f32::from(i16::from_le_bytes([*c, *d]));
            third[TAPS + at] = f32::from(i16::from_le_bytes([*e, *f]));
        }
        for (window, past) in windows.iter().zip(&mut self.past) {
            past.copy_from_slice(&window[triples.len()..][..TAPS]);
        }
        let [through, second, third] = &windows;
        let outputs = out[start..].as_chunks_mut::<2>().0;
        for (group, outputs) in outputs.chunks_mut(LANES).enumerate() {
            let at = group * LANES;
            // The filter is even: the weights of what comes after a sample are those of what comes before it.
            let [first, second] = sums(&third[at..][..TAPS + LANES], &second[at..][..TAPS + LANES]);
            for (lane, output) in outputs.iter_mut().enumerate() {
                let sum = (through[at + lane + MIDDLE] + (first[lane] + second[lane])) / 3.0;
                *output = round_to_i16(sum).to_le_bytes();
            }
        }
    }
}

fn is_silent(past: &[f32]) -> bool {
    past.iter().all(|sample| *sample == 0.0)
}

/// For each lane, one window weighted as the first sample after one that goes through, and another as the second.
fn sums(one: &[f32], other: &[f32]) -> [[f32; LANES]; 2] {
    let mut sums = [[0.0; LANES]; 2];
    let windows = one.windows(LANES).zip(other.windows(LANES));
    for ([first, second], (one, other)) in WEIGHTS.iter().zip(windows) {
        for lane in 0..LANES {
            sums[0][lane] += first * one[lane];
            sums[1][lane] += second * other[lane];
        }
    }
    sums
}
