//! Audio on its way out: cut into messages, waiting to be sent.

use std::collections::VecDeque;

use codecs::{FRAME_UNIT_BYTES, Framer, Resampler, SampleRate};

/// A message ready to be sent.
#[derive(Debug)]
pub(super) struct Piece {
    /// Its place among all.
    pub(super) number: u64,
    /// Whose audio, by the ledger's serial.
    pub(super) serial: u64,
    /// A multiple of 320 bytes.
    pub(super) pcm: Vec<u8>,
    /// Bytes of it that are audio and not padding.
    pub(super) audio: usize,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Queue {
    framer: Framer,
    /// Whose audio the framer holds.
    framing: Option<u64>,
    pieces: VecDeque<Piece>,
    /// Of the pieces.
    bytes: usize,
    /// The number of the last piece.
    last: u64,
}

impl Queue {
    pub(super) fn new(chunk_ms: u32, rate: SampleRate) -> Self {
        Self { framer: framer(chunk_ms, rate), framing: None, pieces: VecDeque::new(), bytes: 0, last: 0 }
    }

    /// Takes audio of a content part.
    pub(super) fn push(&mut self, serial: u64, pcm: &[u8]) {
        if self.framing != Some(serial) {
            self.close();
        }
        self.fill(serial, pcm);
    }

    fn fill(&mut self, serial: u64, pcm: &[u8]) {
        self.framing = Some(serial);
        let (pieces, bytes, last) = (&mut self.pieces, &mut self.bytes, &mut self.last);
        self.framer.push(pcm, &mut |chunk: Vec<u8>| {
            (*bytes, *last) = (*bytes + chunk.len(), *last + 1);
            pieces.push_back(Piece { number: *last, serial, audio: chunk.len(), pcm: chunk });
        });
    }

    /// Ends the message being filled: the rest of a content part goes out padded with silence.
    pub(super) fn close(&mut self) {
        if let (Some(serial), Some((pcm, audio))) = (self.framing.take(), self.framer.finish()) {
            (self.bytes, self.last) = (self.bytes + pcm.len(), self.last + 1);
            self.pieces.push_back(Piece { number: self.last, serial, pcm, audio });
        }
    }

    /// The same if it is that content's.
    pub(super) fn close_of(&mut self, serial: u64) {
        if self.framing == Some(serial) {
            self.close();
        }
    }

    /// Bytes of the next message.
    pub(super) fn next_bytes(&self) -> Option<usize> {
        self.pieces.front().map(|piece| piece.pcm.len())
    }

    /// The next message.
    pub(super) fn pop(&mut self) -> Option<Piece> {
        let piece = self.pieces.pop_front()?;
        self.bytes -= piece.pcm.len();
        Some(piece)
    }

    /// What there is of the message being filled, in whole units.
    pub(super) fn pop_units(&mut self) -> Option<Piece> {
        let serial = self.framing?;
        let pcm = self.framer.take_units()?;
        self.last += 1;
        Some(Piece { number: self.last, serial, audio: pcm.len(), pcm })
    }

    /// A message was refused: it takes its place again, before all that were cut later.
    pub(super) fn put_back(&mut self, piece: Piece) {
        let at = self.pieces.iter().take_while(|other| other.number < piece.number).count();
        self.bytes += piece.pcm.len();
        self.pieces.insert(at, piece);
    }

    /// Bytes that wait, padding included.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.framer.buffered()
    }

    /// Whether there is nothing that could be sent: less than a unit of audio goes nowhere by itself.
    pub(super) fn is_dry(&self) -> bool {
        self.pieces.is_empty() && self.framer.buffered() < FRAME_UNIT_BYTES
    }

    /// Everything is dropped.
    pub(super) fn clear(&mut self) {
        self.pieces.clear();
        self.framer.clear();
        (self.framing, self.bytes) = (None, 0);
    }

    /// A greeting was prepared at one rate and the stream has another.
    pub(super) fn convert(&mut self, chunk_ms: u32, from: SampleRate, to: SampleRate) {
        let Ok(mut resampler) = Resampler::new(from.hz(), to.hz()) else { return };
        let framing = self.framing;
        let mut old = std::mem::take(&mut self.pieces);
        if let (Some(serial), Some((pcm, audio))) = (framing, self.framer.finish()) {
            old.push_back(Piece { number: self.last, serial, pcm, audio });
        }
        (self.framer, self.bytes) = (framer(chunk_ms, to), 0);
        let mut last = None;
        let mut pcm = Vec::new();
        for piece in old {
            pcm.clear();
            if let Some(serial) = last.filter(|&serial| serial != piece.serial) {
                // What the resampler still holds of a content part.
                resampler.flush(&mut pcm);
                self.fill(serial, &pcm);
                self.close();
                pcm.clear();
            }
            resampler.push(&piece.pcm[..piece.audio], &mut pcm);
            self.fill(piece.serial, &pcm);
            last = Some(piece.serial);
        }
        if let Some(serial) = last {
            pcm.clear();
            resampler.flush(&mut pcm);
            self.fill(serial, &pcm);
        }
        if framing.is_none() {
            self.close();
        }
    }
}

fn framer(chunk_ms: u32, rate: SampleRate) -> Framer {
    // A chunk of whole 20 ms at any rate is a multiple of 320 bytes.
    Framer::new(chunk_ms as usize * rate.bytes_per_ms())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_were_refused_go_out_again_in_their_order_and_before_all_others() {
        let mut queue = Queue::new(20, SampleRate::Hz8000);
        queue.push(1, &(0..6).flat_map(|n| [n; 320]).collect::<Vec<u8>>());
        let mut out: Vec<Piece> = std::iter::from_fn(|| queue.pop()).take(4).collect();
        // In whatever order that is told; the fourth was taken, and the first is refused twice.
        for index in [2, 0, 0] {
            queue.put_back(out.remove(index));
        }
        let first = queue.pop().expect("the first");
        queue.put_back(first);
        assert_eq!(queue.bytes(), 5 * 320);
        let order: Vec<u8> = std::iter::from_fn(|| queue.pop()).map(|piece| piece.pcm[0]).collect();
        assert_eq!((order, queue.bytes()), (vec![0, 1, 2, 4, 5], 0));
    }
}
