//! The form of a segment file: a header, then frames. Knows checksums, not what a frame says.
//!
//! ```text
//! header: "BELAYSIG", format u16, flags u16, number u64, nonce u32, day i64, floor i64, crc32 of the above     (48 bytes)
//! frame:  magic u32, length u32, crc32 of the payload, crc32 of the three before; payload           (16 bytes + payload)
//! ```
//! All little-endian. The checksums of frames begin from the nonce of their file, so that neither an old block that the file system
//! hands back after a power loss, nor bytes inside somebody's label, pass for a frame. A frame whose own header is intact but whose
//! payload is not costs that frame; where the header is damaged too, the next intact one is looked for.

use crc32fast::Hasher;

/// The newest format this build understands, and the one it writes.
pub(crate) const FORMAT: u16 = 0;

const MAGIC: &[u8; 8] = b"BELAYSIG";
const FRAME_MAGIC: [u8; 4] = [0xb5, 0x1e, 0xa7, 0x0f];
const COMPACTED: u16 = 1;
const NO_FLOOR: i64 = i64::MIN;

pub(crate) const HEADER_BYTES: usize = 48;
pub(crate) const FRAME_BYTES: usize = 16;

/// The beginning of a segment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) number: u64,
    pub(crate) nonce: u32,
    /// The day (UTC, since 1970) whose receipts it holds.
    pub(crate) day: i64,
    /// The floor when it was begun.
    pub(crate) floor: Option<i64>,
    /// Its samples were put together by series: nothing is left to be gained.
    pub(crate) compacted: bool,
}

/// Why a header was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadHeader {
    /// The file ends within it: its making was interrupted.
    Short,
    /// By a later build.
    Newer(u16),
    /// Something else.
    Damaged,
}

impl Header {
    pub(crate) fn write(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0u8; HEADER_BYTES];
        let flags = if self.compacted { COMPACTED } else { 0 };
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..10].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[10..12].copy_from_slice(&flags.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.number.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.nonce.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.day.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.floor.unwrap_or(NO_FLOOR).to_le_bytes());
        let crc = checksum(0, &bytes[..44]);
        bytes[44..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(crate) fn read(file: &[u8]) -> Result<Header, BadHeader> {
        // The format first, and only by what all formats share: a later header may have another length.
        if file.starts_with(MAGIC)
            && let Some(format) = file.get(8..10).map(le16)
            && format > FORMAT
        {
            return Err(BadHeader::Newer(format));
        }
        let bytes = file.get(..HEADER_BYTES).ok_or(BadHeader::Short)?;
        if !bytes.starts_with(MAGIC) || checksum(0, &bytes[..44]) != le32(&bytes[44..]) {
            return Err(BadHeader::Damaged);
        }
        let floor = le64(&bytes[32..40]) as i64;
        Ok(Header {
            number: le64(&bytes[12..20]),
            nonce: le32(&bytes[20..24]),
            day: le64(&bytes[24..32]) as i64,
            floor: (floor != NO_FLOOR).then_some(floor),
            compacted: le16(&bytes[10..12]) & COMPACTED != 0,
        })
    }
}

/// Begins a frame in an empty buffer: room for its header. The payload is appended, then [`finish_frame`].
pub(crate) fn begin_frame(frame: &mut Vec<u8>) {
    frame.clear();
    frame.resize(FRAME_BYTES, 0);
}

/// Fills in the header of a frame whose payload is complete. False if it is too long for a frame.
pub(crate) fn finish_frame(frame: &mut [u8], nonce: u32) -> bool {
    let Ok(length) = u32::try_from(frame.len() - FRAME_BYTES) else { return false };
    let payload_crc = checksum(nonce, &frame[FRAME_BYTES..]);
    frame[..4].copy_from_slice(&FRAME_MAGIC);
    frame[4..8].copy_from_slice(&length.to_le_bytes());
    frame[8..12].copy_from_slice(&payload_crc.to_le_bytes());
    let header_crc = checksum(nonce, &frame[..12]);
    frame[12..FRAME_BYTES].copy_from_slice(&header_crc.to_le_bytes());
    true
}

/// What a scan of the frames comes across.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// An intact payload, and where its frame ends.
    Payload { payload: &'a [u8], end: usize },
    /// Bytes that are no intact frame.
    Damage { from: usize, to: usize },
}

/// Goes through the frames of a file, past damage.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    file: &'a [u8],
    nonce: u32,
    at: usize,
}

/// The header of a frame, intact.
struct FrameHeader {
    length: usize,
    payload_crc: u32,
}

impl<'a> Scan<'a> {
    /// All frames of `file`, whose header was read.
    pub(crate) fn new(file: &'a [u8], header: &Header) -> Scan<'a> {
        Scan { file, nonce: header.nonce, at: HEADER_BYTES }
    }

    /// The frame header at `at`, if it is intact and its payload is within the file.
    fn header(&self, at: usize) -> Option<FrameHeader> {
        let bytes = self.file.get(at..at + FRAME_BYTES)?;
        if bytes[..4] != FRAME_MAGIC || checksum(self.nonce, &bytes[..12]) != le32(&bytes[12..]) {
            return None;
        }
        let length = le32(&bytes[4..8]) as usize;
        (length <= self.file.len() - at - FRAME_BYTES).then(|| FrameHeader { length, payload_crc: le32(&bytes[8..12]) })
    }

    /// The first place after `at` where an intact frame header begins, or the end of the file.
    fn next_header(&self, at: usize) -> usize {
        let mut places = (at + 1..self.file.len()).filter(|&place| self.file[place] == FRAME_MAGIC[0]);
        places.find(|&place| self.header(place).is_some()).unwrap_or(self.file.len())
    }
}

impl<'a> Iterator for Scan<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        let from = self.at;
        if from >= self.file.len() {
            return None;
        }
        let Some(header) = self.header(from) else {
            self.at = self.next_header(from);
            return Some(Found::Damage { from, to: self.at });
        };
        let start = from + FRAME_BYTES;
        let end = start + header.length;
        let payload = &self.file[start..end];
        self.at = end;
        let intact = checksum(self.nonce, payload) == header.payload_crc;
        Some(if intact { Found::Payload { payload, end } } else { Found::Damage { from, to: end } })
    }
}

fn checksum(from: u32, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(from);
    hasher.update(bytes);
    hasher.finalize()
}

fn le16(bytes: &[u8]) -> u16 {
    bytes.iter().rev().fold(0, |v, &b| v << 8 | u16::from(b))
}

fn le32(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |v, &b| v << 8 | u32::from(b))
}

fn le64(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |v, &b| v << 8 | u64::from(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header { number: 7, nonce: 0xdead_beef, day: 19_000, floor: Some(-5), compacted: true }
    }

    fn file(payloads: &[&[u8]]) -> Vec<u8> {
        let mut file = header().write().to_vec();
        for payload in payloads {
            let mut frame = Vec::new();
            begin_frame(&mut frame);
            frame.extend_from_slice(payload);
            assert!(finish_frame(&mut frame, header().nonce));
            file.extend_from_slice(&frame);
        }
        file
    }

    /// The intact payloads, and the number of damaged bytes.
    fn scan(file: &[u8]) -> (Vec<Vec<u8>>, usize) {
        let (mut payloads, mut damaged) = (Vec::new(), 0);
        for found in Scan::new(file, &header()) {
            match found {
                Found::Payload { payload, .. } => payloads.push(payload.to_vec()),
                Found::Damage { from, to } => damaged += to - from,
            }
        }
        (payloads, damaged)
    }

    #[test]
    fn a_header_comes_back_and_any_flipped_bit_is_seen() {
        let bytes = header().write();
        assert_eq!(Header::read(&bytes), Ok(header()));
        assert_eq!(Header::read(&bytes[..47]), Err(BadHeader::Short));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::read(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_format_is_recognised_even_if_its_header_is_another() {
        assert_eq!(Header::read(b"BELAYSIG\x03\x00"), Err(BadHeader::Newer(3)));
        assert_eq!(Header::read(b"BELAYSIG\x00"), Err(BadHeader::Short));
    }

    #[test]
    fn any_flipped_bit_costs_one_frame_and_invents_none() {
        let whole = file(&[b"one", b"two, which is longer", b"", b"four"]);
        assert_eq!(scan(&whole).0.len(), 4);
        for bit in HEADER_BYTES * 8..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let (payloads, damaged) = scan(&flipped);
            assert_eq!(payloads.len(), 3, "bit {bit}");
            assert!(damaged >= FRAME_BYTES);
            assert!(payloads.iter().all(|p| scan(&whole).0.contains(p)));
        }
    }

    #[test]
    fn a_frame_of_another_file_or_inside_a_payload_is_not_one() {
        let mut other = file(&[b"mine"]);
        let mut frame = Vec::new();
        begin_frame(&mut frame);
        frame.extend_from_slice(b"a frame of an older file");
        finish_frame(&mut frame, 1);
        other.extend_from_slice(&frame);
        assert_eq!(scan(&other).0, [b"mine".to_vec()]);
    }

    #[test]
    fn a_file_cut_anywhere_gives_the_frames_before_the_cut() {
        let whole = file(&[b"one", b"two", b"three"]);
        let ends: Vec<usize> =
            Scan::new(&whole, &header()).filter_map(|f| if let Found::Payload { end, .. } = f { Some(end) } else { None }).collect();
        for cut in HEADER_BYTES..=whole.len() {
            let expected = ends.iter().filter(|&&end| end <= cut).count();
            assert_eq!(scan(&whole[..cut]).0.len(), expected, "cut at {cut}");
        }
    }
}
