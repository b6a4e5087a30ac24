//! Ogg Opus files (RFC 7845): what a recording is kept as.

use std::io::{self, Read, Seek, Write};

use ogg::{OggReadError, PacketReader, PacketWriteEndInfo, PacketWriter};

use crate::opus::{Channels, Decoder, Encoder, OpusError, Settings};

/// Positions in an Ogg Opus file count samples of 48 kHz, whatever its rate.
const CLOCK_HZ: u32 = 48_000;
/// A packet holds 20 ms.
const PACKET_TICKS: u64 = 960;
/// A page holds one second: a player seeks by pages.
const PACKETS_A_PAGE: u64 = 50;

/// Why a file could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum OggError {
    /// Ask for other settings, or leave the file.
    #[error(transparent)]
    Opus(#[from] OpusError),
    /// Try again when there is room.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is none of ours.
    #[error("not an Ogg Opus file: {0}")]
    Malformed(String),
}

/// Writes interleaved samples as one Ogg Opus stream.
pub struct OggOpus<W: Write> {
    pages: PacketWriter<'static, W>,
    encoder: Encoder,
    serial: u32,
    frame: Vec<i16>,
    frame_samples: usize,
    /// Ticks of the 48 kHz clock in a sample of all channels.
    ticks: u64,
    channels: u64,
    /// Samples taken, of all channels.
    taken: u64,
    /// Ticks of the packets made, of which the decoder drops `pre_skip` at the start.
    made: u64,
    pre_skip: u16,
    /// The newest packet: how it is written depends on whether another follows.
    last: Option<Vec<u8>>,
}

impl<W: Write> OggOpus<W> {
    /// Begins a file. `serial` tells its stream from others; `comments` are its tags, such as `("TITLE", "…")`.
    ///
    /// # Errors
    /// [`OggError::Opus`] where a setting is out of its range, [`OggError::Io`] when the head cannot be written.
    pub fn new(out: W, settings: Settings, serial: u32, comments: &[(&str, &str)]) -> Result<Self, OggError> {
        let encoder = Encoder::new(settings)?;
        let ticks = u64::from(CLOCK_HZ / settings.rate_hz);
        let pre_skip = u16::try_from(u64::from(encoder.lookahead()) * ticks).unwrap_or(u16::MAX);
        let mut pages = PacketWriter::new(out);
        pages.write_packet(head(settings, pre_skip), serial, PacketWriteEndInfo::EndPage, 0)?;
        pages.write_packet(tags(comments), serial, PacketWriteEndInfo::EndPage, 0)?;
        let frame_samples = settings.frame_samples();
        Ok(Self {
            pages,
            encoder,
            serial,
            frame: Vec::with_capacity(frame_samples),
            frame_samples,
            ticks,
            channels: settings.channels.count() as u64,
            taken: 0,
            made: 0,
            pre_skip,
            last: None,
        })
    }

    /// Takes samples, any number of them.
    ///
    /// # Errors
    /// [`OggError::Io`] when what they fill cannot be written.
    pub fn push(&mut self, mut samples: &[i16]) -> Result<(), OggError> {
        self.taken += samples.len() as u64;
        while !samples.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(self.frame_samples - self.frame.len()));
            self.frame.extend_from_slice(now);
            samples = later;
            if self.frame.len() == self.frame_samples {
                self.packet()?;
            }
        }
        Ok(())
    }

    /// Ends the file. What the codec delays is driven out with silence, and the last position says where the audio ends, so a
    /// player gives exactly what was pushed.
    ///
    /// # Errors
    /// [`OggError::Io`] when the rest cannot be written.
    pub fn finish(mut self) -> Result<W, OggError> {
        let end = self.taken / self.channels * self.ticks + u64::from(self.pre_skip);
        while self.made < end || self.last.is_none() {
            self.frame.resize(self.frame_samples, 0);
            self.packet()?;
        }
        let last = self.last.take().unwrap_or_default();
        self.pages.write_packet(last, self.serial, PacketWriteEndInfo::EndStream, end)?;
        Ok(self.pages.into_inner())
    }

    fn packet(&mut self) -> Result<(), OggError> {
        let mut packet = Vec::new();
        self.encoder.encode(&self.frame, &mut packet)?;
        packet.shrink_to_fit();
        self.frame.clear();
        if let Some(before) = self.last.replace(packet) {
            let page_full = (self.made / PACKET_TICKS).is_multiple_of(PACKETS_A_PAGE);
            let info = if page_full { PacketWriteEndInfo::EndPage } else { PacketWriteEndInfo::NormalPacket };
            self.pages.write_packet(before, self.serial, info, self.made)?;
        }
        self.made += PACKET_TICKS;
        Ok(())
    }
}

fn head(settings: Settings, pre_skip: u16) -> Vec<u8> {
    let mut head = b"OpusHead\x01".to_vec();
    head.push(settings.channels.count() as u8);
    head.extend(pre_skip.to_le_bytes());
    head.extend(settings.rate_hz.to_le_bytes());
    // No gain; channel mapping family 0: mono or stereo.
    head.extend([0, 0, 0]);
    head
}

fn tags(comments: &[(&str, &str)]) -> Vec<u8> {
    let mut tags = b"OpusTags".to_vec();
    let mut text = |text: &str| {
        tags.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        tags.extend(text.as_bytes());
    };
    text("callgate");
    let mut list = Vec::new();
    for (name, value) in comments {
        let comment = format!("{name}={value}");
        list.extend(u32::try_from(comment.len()).unwrap_or(u32::MAX).to_le_bytes());
        list.extend(comment.as_bytes());
    }
    tags.extend(u32::try_from(comments.len()).unwrap_or(u32::MAX).to_le_bytes());
    tags.extend(list);
    tags
}

/// An Ogg Opus file, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// What was encoded, as its head says.
    pub rate_hz: u32,
    /// Its channels.
    pub channels: Channels,
    /// Interleaved, at that rate: exactly as many as were encoded.
    pub samples: Vec<i16>,
}

/// Decodes a whole file.
///
/// # Errors
/// [`OggError::Malformed`] when it is no file of ours, [`OggError::Opus`] when a packet cannot be decoded.
pub fn read(file: impl Read + Seek) -> Result<Decoded, OggError> {
    let mut packets = PacketReader::new(file);
    let malformed = |why: &str| OggError::Malformed(why.to_owned());
    let head = packets.read_packet()?.ok_or_else(|| malformed("it is empty"))?.data;
    let Some((b"OpusHead\x01", [count, skip0, skip1, rate0, rate1, rate2, rate3, ..])) = head.split_first_chunk()
    else {
        return Err(malformed("it has no head"));
    };
    let channels = if *count == 2 { Channels::Stereo } else { Channels::Mono };
    let rate_hz = u32::from_le_bytes([*rate0, *rate1, *rate2, *rate3]);
    let mut decoder = Decoder::new(rate_hz, channels)?;
    let tags = packets.read_packet()?.filter(|packet| packet.data.starts_with(b"OpusTags"));
    tags.ok_or_else(|| malformed("it has no tags"))?;
    let (mut samples, mut end) = (Vec::new(), None);
    while let Some(packet) = packets.read_packet()? {
        decoder.decode(Some(&packet.data), &mut samples)?;
        end = packet.last_in_stream().then(|| packet.absgp_page());
    }
    let of_ticks = |ticks: u64| (ticks * u64::from(rate_hz) / u64::from(CLOCK_HZ)) as usize * channels.count();
    let end = end.ok_or_else(|| malformed("it does not end"))?;
    samples.truncate(of_ticks(end));
    samples.drain(..of_ticks(u64::from(u16::from_le_bytes([*skip0, *skip1]))).min(samples.len()));
    Ok(Decoded { rate_hz, channels, samples })
}

impl From<OggReadError> for OggError {
    fn from(error: OggReadError) -> Self {
        match error {
            OggReadError::ReadError(error) => Self::Io(error),
            other => Self::Malformed(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
