//! What the two readers (YAML and JSON) tell the collector, and the budgets both keep.

/// Bytes of a report; larger ones are refused unread.
pub const BODY_MAX: usize = 32 * 1024 * 1024;
/// Lists and mappings inside one another. A report has nine levels.
pub const DEPTH_MAX: usize = 32;
/// Scalars, lists and mappings. A report of 200 resources has about ten thousand.
pub const VALUES_MAX: usize = 2_000_000;
/// Bytes of all scalars together, each alias counted as what it stands for.
pub const TEXT_MAX: usize = 64 * 1024 * 1024;

/// A single value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar<'a> {
    /// Written without quotes in YAML; a number, `true`, `false` or `null` in JSON. It may be any
    /// of these or a text.
    Plain(&'a str),
    /// Certainly a text.
    Text(&'a str),
}

/// Why a document was refused, in plain words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub String);

/// A refusal with where it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    /// Offset in bytes of the text.
    pub at: usize,
    /// Why, in plain words.
    pub reason: String,
}

/// What takes a document in, piece by piece, in the order of the document.
pub(super) trait Sink {
    /// A mapping begins.
    fn open_map(&mut self) -> Result<(), Refusal>;
    /// A list begins.
    fn open_list(&mut self) -> Result<(), Refusal>;
    /// The mapping or list opened last ends.
    fn close(&mut self) -> Result<(), Refusal>;
    /// The key of the value that comes next.
    fn key(&mut self, key: &str) -> Result<(), Refusal>;
    /// A single value.
    fn scalar(&mut self, scalar: Scalar<'_>) -> Result<(), Refusal>;
}

/// What may still be read.
#[derive(Debug)]
pub(super) struct Budget {
    values: usize,
    text: usize,
    depth: usize,
}

impl<'a> Scalar<'a> {
    /// The text as written; empty for `null`.
    pub fn text(self) -> &'a str {
        match self {
            Self::Plain("~" | "null" | "Null" | "NULL") => "",
            Self::Plain(text) | Self::Text(text) => text,
        }
    }

    /// The text; `None` for `null` and for nothing.
    pub fn some(self) -> Option<&'a str> {
        let is_text = matches!(self, Self::Text(_));
        Some(self.text()).filter(|text| is_text || !text.is_empty())
    }

    /// `true` or `false`; `None` for anything else.
    pub fn truth(self) -> Option<bool> {
        match self.text() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }
}

impl Refusal {
    /// A refusal for this reason.
    pub fn new<T>(reason: impl Into<String>) -> Result<T, Self> {
        Err(Self(reason.into()))
    }
}

impl Budget {
    /// The whole budget of one document.
    pub fn new() -> Self {
        Self { values: VALUES_MAX, text: TEXT_MAX, depth: DEPTH_MAX }
    }

    /// Spends one value and the bytes of its text.
    pub fn spend(&mut self, text: usize) -> Result<(), Refusal> {
        let Some(values) = self.values.checked_sub(1) else {
            return Refusal::new(format!("more than {VALUES_MAX} values"));
        };
        let Some(text) = self.text.checked_sub(text) else {
            return Refusal::new(format!("more than {TEXT_MAX} bytes of text, aliases counted as what they stand for"));
        };
        (self.values, self.text) = (values, text);
        Ok(())
    }

    /// Spends one level of depth and one value.
    pub fn enter(&mut self) -> Result<(), Refusal> {
        let Some(depth) = self.depth.checked_sub(1) else {
            return Refusal::new(format!("lists and mappings are nested more than {DEPTH_MAX} deep"));
        };
        self.depth = depth;
        self.spend(0)
    }

    /// Gives a level of depth back.
    pub fn leave(&mut self) {
        self.depth += 1;
    }
}
