//! Samples as senders send them: version 1 of the write request, in a compression that compresses
//! nothing. Written here by hand, so that what reads it is not what wrote it.

/// A series: labels, and samples as (milliseconds, value).
pub type Series<'a> = (&'a [(&'a str, &'a str)], &'a [(i64, f64)]);

/// The body of a request.
pub fn body(series: &[Series<'_>]) -> Vec<u8> {
    let mut plain = Vec::new();
    for (labels, samples) in series {
        let mut one = Vec::new();
        for (name, value) in *labels {
            let mut label = Vec::new();
            field(&mut label, 1, name.as_bytes());
            field(&mut label, 2, value.as_bytes());
            field(&mut one, 1, &label);
        }
        for (at, value) in *samples {
            let mut sample = vec![1 << 3 | 1];
            sample.extend(value.to_bits().to_le_bytes());
            sample.push(2 << 3);
            varint(&mut sample, at.cast_unsigned());
            field(&mut one, 2, &sample);
        }
        field(&mut plain, 1, &one);
    }
    let mut out = Vec::new();
    varint(&mut out, plain.len() as u64);
    for chunk in plain.chunks(60_000) {
        out.push(61 << 2);
        out.extend(u16::try_from(chunk.len() - 1).unwrap().to_le_bytes());
        out.extend(chunk);
    }
    out
}

fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend(bytes);
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
