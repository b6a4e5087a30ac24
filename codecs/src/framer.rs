//! Cutting a stream of audio into the chunks a carrier takes.

/// The carrier's unit: chunks it accepts are whole multiples of 320 bytes (20 ms of s16le at 8 kHz).
pub const FRAME_UNIT_BYTES: usize = 320;

/// Gathers audio of any length and hands it on in whole chunks.
#[derive(Debug)]
pub struct Framer {
    chunk_bytes: usize,
    rest: Vec<u8>,
}

impl Framer {
    /// A framer for chunks of that many bytes. What is not a non-zero multiple of [`FRAME_UNIT_BYTES`] is rounded up to
    /// the next one, since no other size may reach the carrier.
    #[must_use]
    pub fn new(chunk_bytes: usize) -> Self {
        Self { chunk_bytes: chunk_bytes.max(1).next_multiple_of(FRAME_UNIT_BYTES), rest: Vec::new() }
    }

    /// Bytes in each chunk handed on by [`push`](Self::push).
    #[must_use]
    pub const fn chunk_bytes(&self) -> usize {
        self.chunk_bytes
    }

    /// Takes audio, and calls `sink` with every chunk that it completes, in order, each exactly
    /// [`chunk_bytes`](Self::chunk_bytes) long.
    pub fn push(&mut self, pcm: &[u8], sink: &mut impl FnMut(Vec<u8>)) {
        let mut pcm = pcm;
        if !self.rest.is_empty() {
            let (head, tail) = pcm.split_at(pcm.len().min(self.chunk_bytes - self.rest.len()));
            self.append(head);
            pcm = tail;
            if self.rest.len() < self.chunk_bytes {
                return;
            }
            sink(std::mem::take(&mut self.rest));
        }
        let whole = pcm.chunks_exact(self.chunk_bytes);
        let tail = whole.remainder();
        whole.for_each(|chunk| sink(chunk.to_vec()));
        if !tail.is_empty() {
            self.append(tail);
        }
    }

    /// What is buffered in whole units of [`FRAME_UNIT_BYTES`], if there is one: for playback that would starve while a
    /// chunk fills.
    pub fn take_units(&mut self) -> Option<Vec<u8>> {
        let units = self.rest.len() - self.rest.len() % FRAME_UNIT_BYTES;
        if units == 0 {
            return None;
        }
        let tail = self.rest.split_off(units);
        Some(std::mem::replace(&mut self.rest, tail))
    }

    /// All that is left, padded with silence to whole units, and how many of its bytes are audio that was pushed.
    /// The framer is empty afterwards.
    pub fn finish(&mut self) -> Option<(Vec<u8>, usize)> {
        let audio_bytes = self.rest.len();
        if audio_bytes == 0 {
            return None;
        }
        let mut chunk = std::mem::take(&mut self.rest);
        chunk.resize(audio_bytes.next_multiple_of(FRAME_UNIT_BYTES), 0);
        Some((chunk, audio_bytes))
    }

    /// Drops what is buffered.
    pub fn clear(&mut self) {
        self.rest.clear();
    }

    /// Bytes waiting for their chunk to fill.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.rest.len()
    }

    /// One allocation a chunk, of its exact size: the buffer itself is what [`push`](Self::push) hands on.
    fn append(&mut self, pcm: &[u8]) {
        if self.rest.capacity() < self.chunk_bytes {
            self.rest.reserve_exact(self.chunk_bytes - self.rest.len());
        }
        self.rest.extend_from_slice(pcm);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pushed(framer: &mut Framer, pcm: &[u8]) -> Vec<Vec<u8>> {
        let mut chunks = Vec::new();
        framer.push(pcm, &mut |chunk| chunks.push(chunk));
        chunks
    }

    #[test]
    fn a_size_the_carrier_would_refuse_is_rounded_up() {
        for (asked, got) in [(0, 320), (1, 320), (320, 320), (321, 640), (3_200, 3_200)] {
            assert_eq!(Framer::new(asked).chunk_bytes(), got);
        }
    }

    #[test]
    fn units_are_taken_only_when_whole_and_the_rest_stays() {
        let mut framer = Framer::new(960);
        assert!(pushed(&mut framer, &[1; 319]).is_empty());
        assert_eq!(framer.take_units(), None);
        assert!(pushed(&mut framer, &[1; 400]).is_empty());
        assert_eq!(framer.take_units(), Some(vec![1; 640]));
        assert_eq!(framer.buffered(), 79);
        assert_eq!(pushed(&mut framer, &[2; 881]).len(), 1);
        assert_eq!(framer.finish(), None);
    }

    #[test]
    fn the_tail_is_padded_with_silence_to_whole_units() {
        let mut framer = Framer::new(3_200);
        pushed(&mut framer, &[7; 322]);
        let (chunk, audio_bytes) = framer.finish().unwrap();
        assert_eq!((chunk.len(), audio_bytes), (640, 322));
        assert_eq!((&chunk[..322], &chunk[322..]), (&[7; 322][..], &[0; 318][..]));
        assert_eq!((framer.buffered(), framer.finish()), (0, None));
    }

    #[test]
    fn nothing_cleared_comes_out_later() {
        let mut framer = Framer::new(320);
        pushed(&mut framer, &[9; 319]);
        framer.clear();
        assert_eq!(pushed(&mut framer, &[1; 320]), [vec![1; 320]]);
    }

    proptest! {
        #[test]
        fn chunks_are_whole_and_nothing_is_lost_or_reordered(
            units in 1_usize..12,
            cuts in prop::collection::vec((0_usize..2_500, any::<bool>()), 0..30),
        ) {
            let mut framer = Framer::new(units * FRAME_UNIT_BYTES);
            let (mut sent, mut got) = (Vec::new(), Vec::new());
            for (len, starving) in cuts {
                let pcm: Vec<u8> = (sent.len()..sent.len() + len).map(|at| (at % 251) as u8).collect();
                sent.extend_from_slice(&pcm);
                for chunk in pushed(&mut framer, &pcm) {
                    prop_assert_eq!(chunk.len(), units * FRAME_UNIT_BYTES);
                    got.extend(chunk);
                }
                if starving && let Some(taken) = framer.take_units() {
                    prop_assert_eq!(taken.len() % FRAME_UNIT_BYTES, 0);
                    got.extend(taken);
                }
                prop_assert_eq!(framer.buffered(), sent.len() - got.len());
            }
            if let Some((tail, audio_bytes)) = framer.finish() {
                got.extend_from_slice(&tail[..audio_bytes]);
            }
            prop_assert_eq!(got, sent);
        }
    }
}
