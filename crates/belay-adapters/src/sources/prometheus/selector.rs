//! Plain selectors of PromQL: `name{a="b",c=~"re"}`, optionally with a range `[5m]`. Belay keeps
//! samples for its own judgement and is no query engine: functions, operators, subqueries, `offset`
//! and `@` are refused by name, with where they stand.

use thiserror::Error;

/// Bytes of a selector.
pub const SELECTOR_MAX: usize = 16 * 1024;
/// Bytes of a pattern (`=~`, `!~`).
pub const PATTERN_MAX: usize = 1024;

/// A selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// All have to hold. The metric's name is a matcher of the label `__name__`.
    pub matchers: Vec<Matcher>,
    /// The length of the range in milliseconds, when there is one.
    pub range_ms: Option<i64>,
}

/// A condition on a label. An absent label has the empty value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    /// Name of the label.
    pub label: String,
    /// How it is compared.
    pub op: MatchOp,
    /// With what: a value, or a pattern that has to match the whole value.
    pub value: String,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchOp {
    /// `=`
    Eq,
    /// `!=`
    Ne,
    /// `=~`
    Re,
    /// `!~`
    Nre,
}

/// Why a selector was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason} at position {at}; only plain selectors are understood here, such as name{{label=\"value\"}} or name[5m]")]
pub struct BadSelector {
    /// Position in bytes, from 0.
    pub at: usize,
    /// What is wrong.
    pub reason: String,
}

/// Reads a selector. Patterns are not compiled here.
///
/// # Errors
/// [`BadSelector`] names what is not understood, and where.
pub fn parse(text: &str) -> Result<Selector, BadSelector> {
    if text.len() > SELECTOR_MAX {
        return Err(BadSelector { at: 0, reason: format!("{} bytes, at most {SELECTOR_MAX} are read", text.len()) });
    }
    let mut parser = Parser { text, at: 0 };
    parser.blanks();
    let start = parser.at;
    let mut matchers = Vec::new();
    if let Some(name) = parser.name(Colon::Allowed) {
        matchers.push(Matcher { label: "__name__".to_owned(), op: MatchOp::Eq, value: name.to_owned() });
    }
    parser.blanks();
    if parser.eat("{") {
        parser.matchers(&mut matchers)?;
    } else if parser.eat("(") {
        return parser.fail(start, "a function or a parenthesis");
    } else if matchers.is_empty() {
        return parser.fail(start, "no selector");
    }
    parser.blanks();
    let range_ms = if parser.eat("[") { Some(parser.range()?) } else { None };
    parser.end()?;
    let selects = |matcher: &Matcher| match matcher.op {
        MatchOp::Eq => !matcher.value.is_empty(),
        // Whether a pattern matches the empty text cannot be told without compiling it; these do.
        MatchOp::Re => !matches!(matcher.value.as_str(), "" | ".*"),
        MatchOp::Ne => matcher.value.is_empty(),
        MatchOp::Nre => matches!(matcher.value.as_str(), "" | ".*"),
    };
    if !matchers.iter().any(selects) {
        return parser.fail(start, "a selector of everything: at least one matcher must not match the empty value,");
    }
    Ok(Selector { matchers, range_ms })
}

/// Whether a name may hold colons: names of metrics may, names of labels may not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Colon {
    Allowed,
    Refused,
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn fail<T>(&self, at: usize, reason: impl Into<String>) -> Result<T, BadSelector> {
        Err(BadSelector { at, reason: reason.into() })
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_ascii_start().len();
    }

    fn eat(&mut self, sign: &str) -> bool {
        let is_there = self.rest().starts_with(sign);
        if is_there {
            self.at += sign.len();
        }
        is_there
    }

    fn name(&mut self, colon: Colon) -> Option<&'a str> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || (c == ':' && colon == Colon::Allowed);
        let rest = self.rest();
        let name = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.at += name.len();
        Some(name)
    }

    /// What stands between the braces, and the closing one.
    fn matchers(&mut self, matchers: &mut Vec<Matcher>) -> Result<(), BadSelector> {
        loop {
            self.blanks();
            if self.eat("}") {
                return Ok(());
            }
            let start = self.at;
            let Some(label) = self.name(Colon::Refused) else {
                return self.fail(start, "no label name");
            };
            self.blanks();
            let Some(op) = self.op() else {
                return self.fail(self.at, "none of = != =~ !~");
            };
            self.blanks();
            let value = self.string()?;
            if matches!(op, MatchOp::Re | MatchOp::Nre) && value.len() > PATTERN_MAX {
                return self.fail(start, format!("a pattern of {} bytes (at most {PATTERN_MAX})", value.len()));
            }
            if label == "__name__" && matchers.iter().any(|matcher| matcher.label == "__name__") {
                return self.fail(start, "the metric's name is given twice");
            }
            matchers.push(Matcher { label: label.to_owned(), op, value });
            self.blanks();
            if !self.eat(",") && !self.rest().starts_with('}') {
                return self.fail(self.at, "neither , nor }");
            }
        }
    }

    fn op(&mut self) -> Option<MatchOp> {
        // The longer signs first: `=` is the beginning of `=~`.
        [("=~", MatchOp::Re), ("!~", MatchOp::Nre), ("!=", MatchOp::Ne), ("=", MatchOp::Eq)]
            .into_iter()
            .find_map(|(sign, op)| self.eat(sign).then_some(op))
    }

    /// A text in double or single quotes with the escapes of Go, or in backquotes without any.
    fn string(&mut self) -> Result<String, BadSelector> {
        let start = self.at;
        let Some(quote) = self.rest().chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) else {
            return self.fail(start, "no quoted text");
        };
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            let Some(c) = self.rest().chars().next() else {
                return self.fail(start, "a text that does not end");
            };
            self.at += c.len_utf8();
            match c {
                c if c == quote => break,
                '\n' if quote != '`' => return self.fail(start, "a text that does not end on its line"),
                '\\' if quote != '`' => self.escape(quote, &mut bytes)?,
                c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        String::from_utf8(bytes).or_else(|_| self.fail(start, "a text that is not UTF-8"))
    }

    fn escape(&mut self, quote: char, bytes: &mut Vec<u8>) -> Result<(), BadSelector> {
        let start = self.at - 1;
        let Some(c) = self.rest().chars().next() else {
            return self.fail(start, "a text that does not end");
        };
        self.at += c.len_utf8();
        match c {
            'a' => bytes.push(7),
            'b' => bytes.push(8),
            'f' => bytes.push(12),
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            'v' => bytes.push(11),
            '\\' => bytes.push(b'\\'),
            c if c == quote => bytes.push(c as u8),
            '0'..='7' => {
                self.at -= 1;
                let value = self.digits(start, 3, 8)?;
                bytes.push(u8::try_from(value).or_else(|_| self.fail(start, "an escape that is no byte"))?);
            }
            'x' => bytes.push(self.digits(start, 2, 16)? as u8),
            'u' | 'U' => {
                let value = self.digits(start, if c == 'u' { 4 } else { 8 }, 16)?;
                let Some(decoded) = char::from_u32(value) else {
                    return self.fail(start, "an escape that is no character");
                };
                bytes.extend_from_slice(decoded.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => return self.fail(start, "an unknown escape"),
        }
        Ok(())
    }

    fn digits(&mut self, start: usize, count: usize, radix: u32) -> Result<u32, BadSelector> {
        let value = self.rest().get(..count).filter(|digits| digits.bytes().all(|b| char::from(b).is_digit(radix)));
        let Some(value) = value.and_then(|digits| u32::from_str_radix(digits, radix).ok()) else {
            return self.fail(start, format!("an escape without its {count} digits"));
        };
        self.at += count;
        Ok(value)
    }

    /// A duration and the closing bracket: `300s]`, `1h30m]`.
    fn range(&mut self) -> Result<i64, BadSelector> {
        let start = self.at;
        self.blanks();
        let mut total: i64 = 0;
        let mut largest = usize::MAX;
        while self.rest().starts_with(|c: char| c.is_ascii_digit()) {
            let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
            let number = self.rest()[..digits].parse::<i64>().or_else(|_| self.fail(start, "a range that is too long"))?;
            self.at += digits;
            let Some((order, ms)) = self.unit() else {
                return self.fail(self.at, "a range without a unit (ms, s, m, h, d, w, y)");
            };
            if order >= largest {
                return self.fail(start, "a range whose units do not go from large to small");
            }
            largest = order;
            let Some(sum) = number.checked_mul(ms).and_then(|ms| total.checked_add(ms)) else {
                return self.fail(start, "a range that is too long");
            };
            total = sum;
        }
        self.blanks();
        if self.rest().starts_with(':') {
            return self.fail(self.at, "a subquery");
        }
        if !self.eat("]") || total == 0 {
            return self.fail(start, "no range");
        }
        Ok(total)
    }

    /// A unit: its rank (larger units rank higher) and its milliseconds.
    fn unit(&mut self) -> Option<(usize, i64)> {
        [
            ("ms", 0, 1),
            ("s", 1, 1000),
            ("m", 2, 60_000),
            ("h", 3, 3_600_000),
            ("d", 4, 86_400_000),
            ("w", 5, 604_800_000),
            ("y", 6, 31_536_000_000),
        ]
        .into_iter()
        .find_map(|(word, rank, ms)| self.eat(word).then_some((rank, ms)))
    }

    /// Nothing may follow; what does is named.
    fn end(&mut self) -> Result<(), BadSelector> {
        self.blanks();
        let rest = self.rest();
        let word = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
        match (rest.chars().next(), word) {
            (None, _) => Ok(()),
            (_, "offset") => self.fail(self.at, "`offset`"),
            (Some('@'), _) => self.fail(self.at, "`@`"),
            (Some('('), _) => self.fail(self.at, "a function or a parenthesis"),
            (Some('[' | '{'), _) => self.fail(self.at, "a second bracket or brace"),
            (_, "and" | "or" | "unless" | "by" | "without" | "on" | "ignoring" | "bool") => {
                self.fail(self.at, format!("the operator `{word}`"))
            }
            (Some('+' | '-' | '*' | '/' | '%' | '^' | '<' | '>' | '=' | '!'), _) => self.fail(self.at, "an operator"),
            (Some(c), _) => self.fail(self.at, format!("`{}`", c.escape_debug())),
        }
    }
}

#[cfg(test)]
mod tests;
