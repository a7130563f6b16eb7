//! As much of the form of tar (POSIX ustar) as a backup needs: regular files, one after the other. Their names are short and known,
//! and a file of 8 GiB and more has its length in base 256, as GNU tar writes it.

use std::io::{self, Read, Write};

const BLOCK: usize = 512;
/// What eleven octal digits hold.
const OCTAL_MAX: u64 = 0o777_7777_7777;

/// The header of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) bytes: u64,
}

impl Header {
    /// Writes it, before the file's bytes.
    pub(super) fn write(&self, out: &mut impl Write, mtime_s: u64) -> io::Result<()> {
        let mut block = [0_u8; BLOCK];
        let name = self.name.as_bytes();
        if name.len() > 100 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too long a name for a backup"));
        }
        block[..name.len()].copy_from_slice(name);
        block[100..108].copy_from_slice(b"0000600\0");
        block[108..116].copy_from_slice(b"0000000\0");
        block[116..124].copy_from_slice(b"0000000\0");
        if self.bytes <= OCTAL_MAX {
            block[124..136].copy_from_slice(format!("{:011o}\0", self.bytes).as_bytes());
        } else {
            block[124] = 0x80;
            block[128..136].copy_from_slice(&self.bytes.to_be_bytes());
        }
        block[136..148].copy_from_slice(format!("{:011o}\0", mtime_s.min(OCTAL_MAX)).as_bytes());
        block[156] = b'0';
        block[257..265].copy_from_slice(b"ustar\x0000");
        let sum = format!("{:06o}\0 ", checksum(&block));
        block[148..156].copy_from_slice(sum.as_bytes());
        out.write_all(&block)
    }

    /// Reads the next one; none at the end of the archive. The text says what is wrong.
    pub(super) fn read(archive: &mut impl Read) -> Result<Option<Self>, String> {
        let mut block = [0_u8; BLOCK];
        archive.read_exact(&mut block).map_err(|error| cut(&error))?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if octal(&block[148..156]) != Some(checksum(&block)) {
            return Err("it is no archive, or was damaged: the checksum of a header does not fit".to_owned());
        }
        if !matches!(block[156], b'0' | 0) {
            return Err("it holds something else than files".to_owned());
        }
        let bytes = match block[124] {
            0x80 => Some(u64::from_be_bytes(block[128..136].try_into().unwrap_or_default())),
            _ => octal(&block[124..136]),
        };
        let name = block[..100].split(|byte| *byte == 0).next().unwrap_or_default();
        match (std::str::from_utf8(name), bytes) {
            (Ok(name), Some(bytes)) => Ok(Some(Self { name: name.to_owned(), bytes })),
            _ => Err("a header in it cannot be read".to_owned()),
        }
    }
}

/// Fills the last block of a file.
pub(super) fn pad(out: &mut impl Write, bytes: u64) -> io::Result<()> {
    out.write_all(&[0; BLOCK][..padding(bytes)])
}

/// Skips what fills the last block of a file.
pub(super) fn skip_padding(archive: &mut impl Read, bytes: u64) -> Result<(), String> {
    let mut rest = [0; BLOCK];
    archive.read_exact(&mut rest[..padding(bytes)]).map_err(|error| cut(&error))
}

/// Ends the archive.
pub(super) fn end(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK])
}

/// Why the archive could not be read on.
pub(super) fn cut(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it ends in the middle".to_owned(),
        _ => format!("it cannot be unpacked: {error}"),
    }
}

fn padding(bytes: u64) -> usize {
    (BLOCK - (bytes % BLOCK as u64) as usize) % BLOCK
}

/// The sum of the header's bytes, its own place taken as spaces.
fn checksum(block: &[u8; BLOCK]) -> u64 {
    block.iter().enumerate().map(|(at, byte)| u64::from(if (148..156).contains(&at) { b' ' } else { *byte })).sum()
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_and_damage_is_seen() {
        for bytes in [0, 1, 511, 512, OCTAL_MAX, OCTAL_MAX + 1, u64::MAX] {
            let header = Header { name: "signals/segment-0000000001.log".to_owned(), bytes };
            let mut out = Vec::new();
            header.write(&mut out, 1_795_331_320).unwrap();
            assert_eq!(Header::read(&mut out.as_slice()), Ok(Some(header)));
            for at in [0, 50, 110, 124, 150, 256] {
                let mut damaged = out.clone();
                damaged[at] ^= 1;
                assert!(Header::read(&mut damaged.as_slice()).is_err(), "byte {at}");
            }
            assert_eq!(Header::read(&mut &out[..100]).unwrap_err(), "it ends in the middle");
        }
        assert_eq!([0, 1, 511, 512, 513].map(padding), [0, 511, 1, 0, 511]);
    }
}
