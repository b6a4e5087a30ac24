//! A greeting that was prepared before the stream's rate was known.

use codecs::{Resampler, SampleRate};

use super::{Piece, Playout, framer};

impl Playout {
    /// A greeting was prepared at the default rate and the stream has another.
    pub(super) fn convert(&mut self, chunk_ms: u32, rate: SampleRate) {
        let resampler = Resampler::new(self.rate.hz(), rate.hz());
        let (old_rate, framing) = (self.rate, self.framing);
        let rest = (framing, self.framer.finish());
        self.rate = rate;
        self.framer = framer(chunk_ms, rate);
        self.ledger.rescale(old_rate, rate);
        let Ok(mut resampler) = resampler else { return };
        let mut old: Vec<Piece> = self.queue.drain(..).collect();
        if let (Some(serial), Some((pcm, audio))) = rest {
            old.push(Piece { serial, pcm, audio });
        }
        self.queued_bytes = 0;
        let mut last = None;
        for piece in old {
            let mut pcm = Vec::with_capacity(piece.pcm.len() * 3);
            if last.is_some_and(|serial| serial != piece.serial) {
                self.requeue(last, &mut resampler, &mut pcm);
                self.close_frame();
                pcm.clear();
            }
            resampler.push(&piece.pcm[..piece.audio], &mut pcm);
            self.refill(piece.serial, &pcm);
            last = Some(piece.serial);
        }
        self.requeue(last, &mut resampler, &mut Vec::new());
        if framing.is_none() {
            self.close_frame();
        }
    }

    /// What the resampler still holds of a content part.
    fn requeue(&mut self, serial: Option<u64>, resampler: &mut Resampler, pcm: &mut Vec<u8>) {
        if let Some(serial) = serial {
            resampler.flush(pcm);
            self.refill(serial, pcm);
        }
    }
}
