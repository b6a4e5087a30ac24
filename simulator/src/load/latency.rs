//! What a gateway adds between a caller and a model: both ends' times put together. All times in microseconds on the load's
//! clock.

use std::collections::BTreeMap;
use std::ops::Range;

use super::line::{Arrival, Sent};

/// Silence past the end of playback after which agent audio belongs to another response.
const RESPONSE_GAP_US: u64 = 500_000;
/// Appends over which it is decided anew how many frames were lost before them.
const ANCHOR: usize = 50;

/// When something came, and how late it was.
pub(super) type Measured = (u64, u64);

/// Caller to model, of one call.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Uplink {
    /// When each came, and how late it was.
    pub(super) latencies: Vec<Measured>,
    /// Frames sent that the model never saw.
    pub(super) lost_frames: u64,
}

/// Latency of every append that came within the window: from the sending of the frame that completes it to its arrival.
/// `up`: cumulative ms appended, and when; to the end of the call, so that what was lost is known.
pub(super) fn uplink(sent: &Sent, up: &[(f64, u64)], frame_ms: u32, window: &Range<u64>) -> Uplink {
    let appended_ms = up.last().map_or(0.0, |(ms, _)| *ms);
    let lost_ms = (sent.frames() as f64).mul_add(f64::from(frame_ms), -appended_ms).max(0.0);
    // Part of a frame may be held by a resampler: that is not loss.
    let lost_frames = (lost_ms / f64::from(frame_ms)) as u64;
    let appends: Vec<(usize, u64)> = up
        .iter()
        .filter(|(_, at)| window.contains(at))
        .map(|(ms, at)| (((ms / f64::from(frame_ms)).ceil() as usize).saturating_sub(1), *at))
        .collect();
    let latencies = appends.chunks(ANCHOR).flat_map(|appends| anchored(sent, appends, lost_frames as usize)).collect();
    Uplink { latencies, lost_frames }
}

/// Latencies of appends by the frames that complete them. Behind a loss each append holds later frames than its count says:
/// as many later, up to all that were lost, as still lets every frame be sent before it arrives.
fn anchored(sent: &Sent, appends: &[(usize, u64)], lost: usize) -> Vec<Measured> {
    let possible =
        |shift: usize| appends.iter().all(|(frame, at)| sent.at(frame + shift).is_some_and(|sent| sent <= *at));
    // More later is never possible again once it is not, so that the highest is found by halving.
    let (mut low, mut high) = (0, lost);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if possible(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    // Without a loss to explain it, an arrival before its sending is a clock's unevenness.
    let late = |(frame, at): &(usize, u64)| Some((*at, at.saturating_sub(sent.at(frame + low)?)));
    appends.iter().filter_map(late).collect()
}

/// Model to caller, of one call.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Downlink {
    /// When each came, and how late it was.
    pub(super) latencies: Vec<Measured>,
    /// Messages that no response of the model's explains.
    pub(super) unexplained: u64,
}

/// A response as the model sent it: per delta the cumulative ms at its end, and when it was sent.
type Deltas = Vec<(f64, u64)>;

/// A paced message may be so much earlier than its pacing asks for: whatever wakes a gateway up may have it send, microseconds.
const EARLY_US: u64 = 50_000;

/// Latency of every message of agent audio that came within the window: from when it could have been sent, being complete and
/// allowed by the pacing, to its arrival. `down`: per delta the response, the cumulative ms at its end, and when.
pub(super) fn downlink(arrivals: &[Arrival], down: &[(u64, f64, u64)], lead_ms: u32, window: &Range<u64>) -> Downlink {
    let mut responses: BTreeMap<u64, Deltas> = BTreeMap::new();
    for (response, ms, at) in down {
        responses.entry(*response).or_default().push((*ms, *at));
    }
    let responses: Vec<Deltas> = responses.into_values().collect();
    let mut result = Downlink::default();
    let mut reply: Option<Reply> = None;
    for arrival in arrivals {
        let (at, samples) = match *arrival {
            Arrival::Clear(_) => {
                reply = None;
                continue;
            }
            Arrival::Audio(at, samples) => (at, samples),
        };
        let reply = match &mut reply {
            Some(reply) if at < reply.plays_until + RESPONSE_GAP_US => reply,
            other => other.insert(Reply { began: at, plays_until: at, heard_samples: 0 }),
        };
        let to_us = reply.take(at, samples);
        if !window.contains(&at) {
            continue;
        }
        let sent_at = responses
            .iter()
            .rfind(|deltas| deltas.first().is_some_and(|(_, first)| *first <= reply.began))
            .and_then(|deltas| completed(deltas, to_us as f64 / 1_000.0));
        match sent_at {
            Some(sent_at) => {
                let allowed = (reply.began + to_us).saturating_sub(u64::from(lead_ms) * 1_000);
                // Much earlier than the pacing asks for: it is not paced like that, and the model's sending is all that counts.
                let due = if at + EARLY_US < allowed { sent_at } else { sent_at.max(allowed) };
                result.latencies.push((at, at.saturating_sub(due)));
            }
            None => result.unexplained += 1,
        }
    }
    result
}

/// When the delta was sent that completes those ms; the last one where none does, for the gateway may pad.
fn completed(deltas: &Deltas, ms: f64) -> Option<u64> {
    deltas.iter().find(|(end, _)| *end >= ms).or(deltas.last()).map(|(_, at)| *at)
}

/// A response as it is heard.
struct Reply {
    began: u64,
    plays_until: u64,
    heard_samples: u64,
}

impl Reply {
    /// Adds a message; where in the response it ends, in microseconds.
    fn take(&mut self, at: u64, samples: u32) -> u64 {
        self.heard_samples += u64::from(samples);
        self.plays_until = self.plays_until.max(at) + u64::from(samples) * 125;
        self.heard_samples * 125
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Range<u64> = 0..u64::MAX;

    fn us(latencies: &[Measured]) -> Vec<u64> {
        latencies.iter().map(|(_, us)| *us).collect()
    }

    fn sent(frames: u64) -> Sent {
        let mut sent = Sent::default();
        (0..frames).for_each(|frame| sent.push(frame * 20_000));
        sent
    }

    #[test]
    fn an_append_is_as_late_as_the_frame_that_completes_it() {
        // Three frames; the appends are cut otherwise, and the last 5 ms are held by a resampler.
        let up = [(15.0, 1_000), (40.0, 20_700), (55.0, 40_300)];
        let measured = uplink(&sent(3), &up, 20, &ALL);
        let latencies = vec![(1_000, 1_000), (20_700, 700), (40_300, 300)];
        assert_eq!(measured, Uplink { latencies, lost_frames: 0 });
        assert_eq!(uplink(&sent(3), &up, 20, &(20_000..30_000)).latencies, [(20_700, 700)]);
    }

    #[test]
    fn frames_lost_at_the_start_are_counted_and_do_not_look_like_latency() {
        // The first two of ten never came.
        let up: Vec<(f64, u64)> =
            (0..8_u32).map(|at| (f64::from(at + 1) * 20.0, u64::from(at + 2) * 20_000 + 400)).collect();
        let measured = uplink(&sent(10), &up, 20, &ALL);
        assert_eq!((us(&measured.latencies), measured.lost_frames), (vec![400; 8], 2));
        // A steady delay without loss is latency, however long.
        let up: Vec<(f64, u64)> =
            (0..10_u32).map(|at| (f64::from(at + 1) * 20.0, u64::from(at) * 20_000 + 60_000)).collect();
        assert_eq!(us(&uplink(&sent(10), &up, 20, &ALL).latencies), [60_000; 10]);
        assert_eq!(uplink(&sent(10), &[], 20, &ALL).lost_frames, 10);
    }

    /// A response sent in four deltas of 250 ms, 50 ms apart from `at` on.
    fn deltas(response: u64, at: u64) -> Vec<(u64, f64, u64)> {
        (0..4).map(|delta| (response, (delta + 1) as f64 * 250.0, at + delta * 50_000)).collect()
    }

    #[test]
    fn a_paced_message_is_measured_against_its_pacing_and_an_unpaced_one_against_the_model() {
        // 200 ms messages: the first two as soon as they are complete, the rest at real time less the lead.
        let paced: Vec<Arrival> = [1_000_500, 1_050_600, 1_200_700, 1_400_800, 1_600_900]
            .iter()
            .map(|at| Arrival::Audio(*at, 1_600))
            .collect();
        let measured = downlink(&paced, &deltas(0, 1_000_000), 400, &ALL);
        assert_eq!((us(&measured.latencies), measured.unexplained), (vec![500, 600, 200, 300, 400], 0));
        // All at once, as each delta came.
        let blast: Vec<Arrival> = (0..4).map(|at| Arrival::Audio(1_000_300 + at * 50_000, 2_000)).collect();
        assert_eq!(us(&downlink(&blast, &deltas(0, 1_000_000), 350, &ALL).latencies), [300; 4]);
    }

    #[test]
    fn responses_are_told_apart_by_silence_and_by_clear() {
        let mut down = deltas(0, 1_000_000);
        down.extend(deltas(1, 9_000_000));
        down.extend(deltas(2, 9_200_000));
        let arrivals = [
            Arrival::Audio(500_000, 160),
            Arrival::Audio(1_000_100, 2_000),
            Arrival::Audio(9_000_200, 2_000),
            Arrival::Clear(9_100_000),
            Arrival::Audio(9_200_300, 2_000),
        ];
        assert_eq!(downlink(&arrivals, &down, 450, &ALL).unexplained, 2);
        // What no response explains is followed too closely by what one would: it is told apart by a clear alone.
        let arrivals = [&[arrivals[0], Arrival::Clear(600_000)], &arrivals[1..]].concat();
        let measured = downlink(&arrivals, &down, 450, &ALL);
        assert_eq!((us(&measured.latencies), measured.unexplained), (vec![100, 200, 300], 1));
    }
}
