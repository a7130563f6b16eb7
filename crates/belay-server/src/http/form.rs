//! Query strings and forms: `a=b&c=d`, percent-encoded once, decoded once.

/// The pairs of a query or form, in order. What is not UTF-8 after decoding is taken lossily.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(name), decode(value))
    };
    text.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let mut ahead = bytes.clone();
                match (ahead.next().and_then(hex), ahead.next().and_then(hex)) {
                    (Some(high), Some(low)) => {
                        out.push(high * 16 + low);
                        bytes = ahead;
                    }
                    _ => out.push(b'%'),
                }
            }
            other => out.push(other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// A text as a value of a query.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_is_decoded_to_the_same() {
        for text in ["/changes/c-1?a=b&c=d+e%20", "\u{e9}\n\"<>", ""] {
            assert_eq!(pairs(&format!("next={}", escaped(text))), [("next".to_owned(), text.to_owned())]);
        }
    }

    #[test]
    fn a_query_is_decoded_once_and_nothing_is_lost() {
        let got = pairs("query=up%7Bhost%3D%22a+b%22%7D&x&=y&p=100%&q=%2525&bad=%zz");
        let want = [("query", "up{host=\"a b\"}"), ("x", ""), ("", "y"), ("p", "100%"), ("q", "%25"), ("bad", "%zz")];
        assert_eq!(got, want.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }
}
