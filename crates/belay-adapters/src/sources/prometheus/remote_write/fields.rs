//! The fields of a protobuf message, one after the other, without a copy.

use super::Refused;

/// A field.
#[derive(Debug)]
pub(super) struct Field<'a> {
    /// Its number.
    pub number: u32,
    /// What it holds.
    pub payload: Payload<'a>,
    /// Offset of its payload in the decompressed bytes.
    pub at: usize,
}

/// What a field holds.
#[derive(Debug)]
pub(super) enum Payload<'a> {
    /// A number of variable length.
    Number(u64),
    /// Eight bytes.
    Fixed64(u64),
    /// Four bytes; nothing here has any.
    Fixed32,
    /// Text, bytes or a message.
    Bytes(&'a [u8]),
}

/// Fields still to be read.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    /// Offset of the rest in the decompressed bytes.
    at: usize,
}

impl<'a> Fields<'a> {
    /// The fields of the whole.
    pub fn of(message: &'a [u8]) -> Self {
        Self::within(message, 0)
    }

    /// The fields of a message that stands at this offset.
    pub fn within(message: &'a [u8], at: usize) -> Self {
        Self { rest: message, at }
    }

    fn read(&mut self) -> Result<Field<'a>, &'static str> {
        let key = self.number()?;
        let number = u32::try_from(key >> 3).map_err(|_| "a field number that is too large")?;
        if number == 0 {
            return Err("a field of number 0");
        }
        let payload = match key & 7 {
            0 => Payload::Number(self.number()?),
            1 => Payload::Fixed64(self.take(8)?.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte))),
            2 => {
                let length = usize::try_from(self.number()?).map_err(|_| "a length that is too large")?;
                let at = self.at;
                return Ok(Field { number, payload: Payload::Bytes(self.take(length)?), at });
            }
            5 => {
                self.take(4)?;
                Payload::Fixed32
            }
            _ => return Err("a wire type that does not exist"),
        };
        Ok(Field { number, payload, at: self.at })
    }

    fn number(&mut self) -> Result<u64, &'static str> {
        let mut number = 0;
        for shift in (0..70).step_by(7) {
            let byte = self.take(1)?[0];
            if shift == 63 && byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err("a number that does not end")
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or("it ends too early")?;
        self.rest = rest;
        self.at += count;
        Ok(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Refused>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        Some(self.read().map_err(|reason| {
            self.rest = &[];
            Refused::NotARequest { at: self.at, reason }
        }))
    }
}
