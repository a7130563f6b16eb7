//! Samples to bytes and back, bit for bit: the one encoding of the log and of the chunks in memory.
//!
//! Byte-aligned, so that it is simple and fast. What monitoring data looks like decides the form: most steps are regular (no byte for the
//! time), many values stand still (one byte for up to 128 samples), most others are integers or short decimals (the difference of the
//! scaled integers, as a varint), and the rest is the changed bytes of the double. Every NaN payload survives.
//!
//! One operation a sample, or a run of samples:
//!
//! | first byte | meaning |
//! |---|---|
//! | `1rrrrrrr` | `r + 1` samples, each after the same time step and with the same bits as the one before |
//! | `0tvvvvvv` | one sample; `t`: the time step changed, the zigzag change follows; `v`: what the value is |
//! | v = 0..=9 | a decimal with `v` digits; zigzag difference of the scaled integer (from 0 if the digits changed) follows |
//! | v = 10..=19 | the same with `v - 10` digits, difference of the difference |
//! | v = 20 | the same bits |
//! | v = 21..=28 | the bits XOR the last bits: the lower `v - 20` bytes |
//! | v = 29 | the bits XOR the last bits: the upper bytes down to the last that is not 0; a byte (leading zero bytes << 4, length) first |

use std::fmt;

/// Powers of ten by which a decimal is scaled; all exact in a double.
const POW10: [f64; 10] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// Scaled integers are exact below this.
const EXACT: f64 = 9_007_199_254_740_992.0;

const RUN: u8 = 0x80;
const TIME_CHANGED: u8 = 0x40;
const SECOND_DIFFERENCE: u8 = 10;
const SAME: u8 = 20;
const XOR_LOWER: u8 = 21;
const XOR_LOWER_LAST: u8 = XOR_LOWER + 7;
const XOR_UPPER: u8 = 29;

/// No decimal came before: the next one is written in full.
const NO_DIGITS: u8 = 0xff;

/// Bytes that are not a stream, or end in the middle of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes are not a stream of samples")
    }
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut v: u64) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

pub(crate) fn put_zigzag(out: &mut Vec<u8>, v: i64) {
    put_varint(out, zigzag(v));
}

fn zigzag(v: i64) -> u64 {
    ((v << 1) ^ (v >> 63)) as u64
}

/// How many bytes [`put_zigzag`] writes.
fn varint_length(v: i64) -> u32 {
    (70 - (zigzag(v) | 1).leading_zeros()) / 7
}

/// Reads bytes from the front; every read says when there are none left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    pub(crate) rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: bytes }
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        let (&first, rest) = self.rest.split_first().ok_or(Malformed)?;
        self.rest = rest;
        Ok(first)
    }

    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        let first = self.byte()?;
        if first < 0x80 { Ok(u64::from(first)) } else { self.long_varint(u64::from(first & 0x7f)) }
    }

    fn long_varint(&mut self, mut v: u64) -> Result<u64, Malformed> {
        for shift in (7..64).step_by(7) {
            let byte = self.byte()?;
            v |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(v);
            }
        }
        Err(Malformed)
    }

    #[inline]
    pub(crate) fn zigzag(&mut self) -> Result<i64, Malformed> {
        self.varint().map(|v| (v >> 1) as i64 ^ -((v & 1) as i64))
    }
}

/// What the encoder and the decoder both know after a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Memory {
    time: i64,
    step: i64,
    bits: u64,
    /// The last decimal, scaled by 10^digits, and how it differed from the one before.
    scaled: i64,
    difference: i64,
    digits: u8,
}

impl Memory {
    fn starting_at(base: i64) -> Memory {
        Memory { time: base, step: 0, bits: 0, scaled: 0, difference: 0, digits: NO_DIGITS }
    }

    /// The scaled integer the next decimal with these digits differs from.
    fn base_for(&self, digits: u8) -> (i64, i64) {
        if digits == self.digits { (self.scaled, self.difference) } else { (0, 0) }
    }

    fn set_decimal(&mut self, digits: u8, scaled: i64, difference: i64) {
        self.digits = digits;
        self.scaled = scaled;
        self.difference = difference;
    }

    fn forget_decimal(&mut self) {
        self.set_decimal(NO_DIGITS, 0, 0);
    }
}

/// What helps the encoder to guess the digits; the decoder needs none of it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Hint {
    digits: u8,
    misses: u8,
}

impl Hint {
    /// The digits and the scaled integer of `v`, if it is exactly a decimal of at most nine digits.
    fn scale(&mut self, v: f64) -> Option<(u8, i64)> {
        // Full-entropy values would pay ten divisions each: after a few misses only every 16th value is tried.
        if self.misses >= 8 {
            self.misses = if self.misses >= 23 { 7 } else { self.misses + 1 };
            return None;
        }
        if let Some(scaled) = scaled(v, self.digits) {
            self.misses = 0;
            return Some((self.digits, scaled));
        }
        for digits in 0..POW10.len() as u8 {
            if let Some(scaled) = scaled(v, digits) {
                *self = Hint { digits, misses: 0 };
                return Some((digits, scaled));
            }
        }
        self.misses += 1;
        None
    }
}

/// `v` times ten to the `digits`, if dividing it again gives `v` back to the bit.
fn scaled(v: f64, digits: u8) -> Option<i64> {
    let product = v * POW10[usize::from(digits)];
    if product.is_nan() || product.abs() >= EXACT {
        return None;
    }
    // Rounds half away from zero; whether that was right is seen by dividing.
    let scaled = (product + 0.5f64.copysign(product)) as i64;
    (unscaled(scaled, digits).to_bits() == v.to_bits()).then_some(scaled)
}

fn unscaled(scaled: i64, digits: u8) -> f64 {
    // A division is the dearest part of reading; integers need none.
    if digits == 0 { scaled as f64 } else { scaled as f64 / POW10[usize::from(digits)] }
}

/// Writes samples to a buffer that it is given at each push, so that a stream can live inside a larger record.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    memory: Memory,
    hint: Hint,
    /// The last operation in the buffer is a run that can be extended.
    in_run: bool,
}

impl Encoder {
    /// A stream whose first time is written relative to `base`; the decoder must be given the same `base`.
    pub(crate) fn new(base: i64, hint: Hint) -> Encoder {
        Encoder { memory: Memory::starting_at(base), hint, in_run: false }
    }

    /// The time of the last sample.
    pub(crate) fn time(&self) -> i64 {
        self.memory.time
    }

    /// The bits of the last sample.
    pub(crate) fn bits(&self) -> u64 {
        self.memory.bits
    }

    pub(crate) fn hint(&self) -> Hint {
        self.hint
    }

    /// Appends one sample to `out`, which must be the buffer of this stream. Any order of times is encoded; ascending is short.
    pub(crate) fn push(&mut self, out: &mut Vec<u8>, time: i64, value: f64) {
        let bits = value.to_bits();
        let step = time.wrapping_sub(self.memory.time);
        let change = step.wrapping_sub(self.memory.step);
        self.memory.time = time;
        self.memory.step = step;
        if change == 0 && bits == self.memory.bits {
            return self.extend_run(out);
        }
        self.in_run = false;
        let op = out.len();
        out.push(0);
        if change != 0 {
            put_zigzag(out, change);
        }
        let code = self.put_value(out, value, bits);
        out[op] = code | if change != 0 { TIME_CHANGED } else { 0 };
    }

    fn extend_run(&mut self, out: &mut Vec<u8>) {
        match out.last_mut() {
            Some(last) if self.in_run && *last < 0xff => *last += 1,
            _ => out.push(RUN),
        }
        self.in_run = true;
        self.memory.difference = 0;
    }

    /// Writes the value after its operation byte; returns the code for that byte.
    fn put_value(&mut self, out: &mut Vec<u8>, value: f64, bits: u64) -> u8 {
        let changed = bits ^ self.memory.bits;
        self.memory.bits = bits;
        if changed == 0 {
            self.memory.difference = 0;
            return SAME;
        }
        if let Some((digits, scaled)) = self.hint.scale(value) {
            let (base, last_difference) = self.memory.base_for(digits);
            let first = scaled - base;
            let second = first.wrapping_sub(last_difference);
            self.memory.set_decimal(digits, scaled, first);
            if varint_length(second) < varint_length(first) {
                put_zigzag(out, second);
                return digits + SECOND_DIFFERENCE;
            }
            put_zigzag(out, first);
            return digits;
        }
        self.memory.forget_decimal();
        let leading = (changed.leading_zeros() / 8) as usize;
        let trailing = (changed.trailing_zeros() / 8) as usize;
        let length = 8 - leading - trailing;
        if trailing > 1 {
            out.push((leading as u8) << 4 | length as u8);
            out.extend_from_slice(&changed.to_be_bytes()[leading..leading + length]);
            return XOR_UPPER;
        }
        out.extend_from_slice(&changed.to_be_bytes()[leading..]);
        XOR_LOWER + (length + trailing - 1) as u8
    }
}

/// Reads the samples of one stream, in the order they were pushed.
#[derive(Debug, Clone)]
pub(crate) struct Decoder<'a> {
    cursor: Cursor<'a>,
    memory: Memory,
    run_left: u8,
}

impl<'a> Decoder<'a> {
    /// A stream at the front of `bytes`, with the `base` its encoder was given.
    pub(crate) fn new(bytes: &'a [u8], base: i64) -> Decoder<'a> {
        Decoder { cursor: Cursor::new(bytes), memory: Memory::starting_at(base), run_left: 0 }
    }

    /// What follows after the samples read so far. Only meaningful at the end of the stream.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.cursor.rest
    }

    /// The next sample. The stream does not know its length: the caller asks as often as there are samples.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<(i64, f64), Malformed> {
        let memory = &mut self.memory;
        if self.run_left > 0 {
            self.run_left -= 1;
        } else {
            let op = self.cursor.byte()?;
            if op & RUN != 0 {
                self.run_left = op & !RUN;
                memory.difference = 0;
            } else {
                if op & TIME_CHANGED != 0 {
                    memory.step = memory.step.wrapping_add(self.cursor.zigzag()?);
                }
                read_value(memory, &mut self.cursor, op & !TIME_CHANGED)?;
            }
        }
        memory.time = memory.time.wrapping_add(memory.step);
        Ok((memory.time, f64::from_bits(memory.bits)))
    }
}

fn read_value(memory: &mut Memory, cursor: &mut Cursor<'_>, code: u8) -> Result<(), Malformed> {
    match code {
        0..SAME => {
            let digits = code % SECOND_DIFFERENCE;
            let (base, last_difference) = memory.base_for(digits);
            let written = cursor.zigzag()?;
            let first = if code < SECOND_DIFFERENCE { written } else { written.wrapping_add(last_difference) };
            let scaled = base.wrapping_add(first);
            memory.set_decimal(digits, scaled, first);
            memory.bits = unscaled(scaled, digits).to_bits();
        }
        SAME => memory.difference = 0,
        XOR_LOWER..=XOR_LOWER_LAST => read_changed(memory, cursor, usize::from(XOR_LOWER_LAST - code), usize::from(code - XOR_LOWER + 1))?,
        XOR_UPPER => {
            let shape = cursor.byte()?;
            read_changed(memory, cursor, usize::from(shape >> 4), usize::from(shape & 0xf))?;
        }
        _ => return Err(Malformed),
    }
    Ok(())
}

/// Reads the bytes of the double that changed.
fn read_changed(memory: &mut Memory, cursor: &mut Cursor<'_>, leading: usize, length: usize) -> Result<(), Malformed> {
    let mut bytes = [0u8; 8];
    let place = bytes.get_mut(leading..leading + length).ok_or(Malformed)?;
    place.copy_from_slice(cursor.take(length)?);
    memory.bits ^= u64::from_be_bytes(bytes);
    memory.forget_decimal();
    Ok(())
}

#[cfg(test)]
mod tests;
