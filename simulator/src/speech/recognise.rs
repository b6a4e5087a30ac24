//! Which caller's clip was heard: so that a simulated transcript says what really arrived, through whatever codecs and
//! resamplers lay between.

use super::{Clip, Voice, clips};

/// How much earlier or later than the VAD thought a clip may begin, in hops.
const SLACK_HOPS: usize = 25;
/// Levels below are all the same silence.
const FLOOR_DBFS: f32 = -50.0;
/// Correlation of two level tracks from which they are the same speech.
const ENOUGH: f32 = 0.8;

/// The caller's clip with that level track (dBFS every 20 ms, silence around it allowed), if there is one. The overall
/// level does not matter.
pub(crate) fn recognise(heard: &[f32]) -> Option<&'static Clip> {
    clips()
        .iter()
        .filter(|clip| clip.voice == Voice::Caller)
        .map(|clip| (clip, similarity(clip.levels(), heard)))
        .filter(|(_, similarity)| *similarity >= ENOUGH)
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(clip, _)| clip)
}

/// The best correlation over all offsets. What is outside of either track counts as silence, so that a clip is not
/// found in a part of longer speech.
fn similarity(clip: &[f32], heard: &[f32]) -> f32 {
    let lead = heard.iter().position(|level| *level > FLOOR_DBFS).unwrap_or(heard.len());
    let tail = heard.iter().rposition(|level| *level > FLOOR_DBFS).map_or(lead, |last| last + 1);
    let speech = &heard[lead..tail.max(lead)];
    if speech.len().abs_diff(clip.len()) > SLACK_HOPS {
        return 0.0;
    }
    let at = |track: &[f32], index: Option<usize>| {
        index.and_then(|index| track.get(index)).map_or(FLOOR_DBFS, |level| level.max(FLOOR_DBFS))
    };
    let hops = clip.len() + 2 * SLACK_HOPS;
    (0..=2 * SLACK_HOPS)
        .map(|offset| {
            let pairs =
                (0..hops).map(|hop| (at(clip, hop.checked_sub(SLACK_HOPS)), at(speech, hop.checked_sub(offset))));
            correlation(pairs)
        })
        .fold(0.0, f32::max)
}

fn correlation(pairs: impl Iterator<Item = (f32, f32)>) -> f32 {
    let (mut n, mut sx, mut sy, mut sxx, mut syy, mut sxy) = (0.0_f32, 0.0, 0.0, 0.0, 0.0, 0.0);
    for (x, y) in pairs {
        // Relative to the floor, so that the sums stay small.
        let (x, y) = (x - FLOOR_DBFS, y - FLOOR_DBFS);
        n += 1.0;
        sx += x;
        sy += y;
        sxx += x * x;
        syy += y * y;
        sxy += x * y;
    }
    let spread = (n * sxx - sx * sx) * (n * syy - sy * sy);
    if spread > 0.0 { (n * sxy - sx * sy) / spread.sqrt() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use codecs::ogg::{self, OggOpus};
    use codecs::opus::{Coder, Settings};
    use codecs::{SampleRate, g711, level::rms_dbfs};

    use super::*;

    fn track(pcm: &[u8]) -> Vec<f32> {
        pcm.chunks(320).map(rms_dbfs).collect()
    }

    #[test]
    fn every_caller_clip_is_recognised_through_g711_out_of_step_and_quieter() {
        for clip in clips().iter().filter(|clip| clip.voice == Voice::Caller) {
            let quiet: Vec<u8> = clip
                .pcm_at(SampleRate::Hz8000)
                .chunks_exact(2)
                .flat_map(|s| (i16::from_le_bytes([s[0], s[1]]) / 2).to_le_bytes())
                .collect();
            let (mut coded, mut heard) = (Vec::new(), vec![0; 3_332]);
            g711::pcm_to_ulaw(&quiet, &mut coded);
            g711::ulaw_to_pcm(&coded, &mut heard);
            heard.extend([0; 8_000]);
            assert_eq!(recognise(&track(&heard)).map(|clip| clip.id), Some(clip.id));
        }
    }

    #[test]
    fn every_caller_clip_is_recognised_on_a_recording_whichever_way_it_was_encoded() {
        let callers = || clips().iter().filter(|clip| clip.voice == Voice::Caller);
        for (clip, coder) in callers().flat_map(|clip| [Coder::Silk, Coder::Celt].map(|coder| (clip, coder))) {
            let said = clip.pcm_at(SampleRate::Hz8000);
            // The caller left, and an agent who says nothing.
            let pairs = said.as_chunks::<2>().0.iter().flat_map(|sample| [i16::from_le_bytes(*sample), 0]);
            let mut file = OggOpus::new(Vec::new(), Settings::recording(8_000, coder), 1, &[]).unwrap();
            file.push(&pairs.collect::<Vec<_>>()).unwrap();
            let decoded = ogg::read(Cursor::new(file.finish().unwrap())).unwrap();
            let mut heard = vec![0; 3_332];
            heard.extend(decoded.samples.iter().step_by(2).flat_map(|sample| sample.to_le_bytes()));
            heard.extend([0; 8_000]);
            let found = recognise(&track(&heard)).map(|found| found.id);
            assert_eq!(found, Some(clip.id), "{coder:?}");
        }
    }

    #[test]
    fn other_speech_is_not_recognised() {
        for clip in clips().iter().filter(|clip| clip.voice == Voice::Model) {
            assert!(recognise(&track(&clip.pcm_at(SampleRate::Hz8000))).is_none(), "{clip:?}");
        }
        assert!(recognise(&[]).is_none());
    }
}
