//! WAV files of G.711: what a recording is kept as where Opus would take too long.

/// The name of μ-law in a WAV file.
const MU_LAW: u16 = 7;
const CHANNELS: u16 = 2;
/// Bytes before the samples.
const HEAD: usize = 58;

/// The head of a file of two channels of μ-law with that many samples a channel, which follow it in turn, a byte each.
///
/// More than a WAV file can tell of (24 hours at 24 kHz) is told as the most that it can.
#[must_use]
pub fn ulaw_stereo_head(rate_hz: u32, samples: u64) -> [u8; HEAD] {
    let most = u64::from((u32::MAX - (HEAD as u32 - 8)) / u32::from(CHANNELS));
    let samples = u32::try_from(samples.min(most)).unwrap_or(u32::MAX);
    let bytes = samples * u32::from(CHANNELS);
    let mut head = Vec::with_capacity(HEAD);
    head.extend(b"RIFF");
    head.extend((HEAD as u32 - 8 + bytes).to_le_bytes());
    head.extend(b"WAVEfmt ");
    head.extend(18_u32.to_le_bytes());
    head.extend([MU_LAW, CHANNELS].map(u16::to_le_bytes).concat());
    head.extend([rate_hz, rate_hz * u32::from(CHANNELS)].map(u32::to_le_bytes).concat());
    // Bytes of a sample of both channels, bits of one, and no extension.
    head.extend([CHANNELS, 8, 0].map(u16::to_le_bytes).concat());
    // What is not PCM says how many samples it stands for.
    head.extend(b"fact");
    head.extend([4, samples].map(u32::to_le_bytes).concat());
    head.extend(b"data");
    head.extend(bytes.to_le_bytes());
    head.try_into().unwrap_or([0; HEAD])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(head: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(head[at..at + 4].try_into().unwrap())
    }

    #[test]
    fn the_head_says_how_much_follows_it() {
        let head = ulaw_stereo_head(8_000, 12_345);
        assert_eq!(
            (&head[..4], &head[8..16], &head[38..42], &head[50..54]),
            (&b"RIFF"[..], &b"WAVEfmt "[..], &b"fact"[..], &b"data"[..])
        );
        assert_eq!(number(&head, 4), 58 + 2 * 12_345 - 8, "all but the first two words");
        assert_eq!(
            (number(&head, 16), number(&head, 20), number(&head, 24), number(&head, 28)),
            (18, 0x2_0007, 8_000, 16_000)
        );
        assert_eq!((number(&head, 32), number(&head, 46), number(&head, 54)), (0x8_0002, 12_345, 24_690));
    }

    #[test]
    fn what_is_longer_than_a_file_can_tell_is_told_as_the_most_it_can() {
        let head = ulaw_stereo_head(24_000, u64::MAX);
        assert!(number(&head, 4) > u32::MAX - 4 && number(&head, 54) > u32::MAX - 60);
    }
}
