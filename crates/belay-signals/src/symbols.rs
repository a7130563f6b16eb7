//! Every label name, label value and source once: strings by number.
//!
//! Counted by use, so that the strings of series that retention dropped go too. Each symbol also remembers under which number the open
//! segment of the log knows it.

use std::collections::HashMap;
use std::sync::Arc;

/// The number of a string.
pub(crate) type Symbol = u32;

/// Where in the log something is defined: the segment, and its number there. Segment numbers begin at 1, so the default is nowhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct InSegment {
    pub(crate) segment: u64,
    pub(crate) number: u32,
}

#[derive(Debug, Default)]
struct Entry {
    text: Arc<str>,
    uses: u32,
    defined: InSegment,
}

#[derive(Debug, Default)]
pub(crate) struct Symbols {
    entries: Vec<Entry>,
    by_text: HashMap<Arc<str>, Symbol>,
    free: Vec<Symbol>,
}

impl Symbols {
    pub(crate) fn get(&self, text: &str) -> Option<Symbol> {
        self.by_text.get(text).copied()
    }

    pub(crate) fn text(&self, symbol: Symbol) -> &Arc<str> {
        &self.entries[symbol as usize].text
    }

    /// The symbol of `text`, used once more than before.
    pub(crate) fn acquire(&mut self, text: &str) -> Symbol {
        if let Some(symbol) = self.get(text) {
            self.entries[symbol as usize].uses += 1;
            return symbol;
        }
        let text: Arc<str> = Arc::from(text);
        let entry = Entry { text: text.clone(), uses: 1, defined: InSegment::default() };
        let symbol = match self.free.pop() {
            Some(symbol) => {
                self.entries[symbol as usize] = entry;
                symbol
            }
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as Symbol
            }
        };
        self.by_text.insert(text, symbol);
        symbol
    }

    /// One use less; the last one forgets the string.
    pub(crate) fn release(&mut self, symbol: Symbol) {
        let entry = &mut self.entries[symbol as usize];
        entry.uses -= 1;
        if entry.uses == 0 {
            self.by_text.remove(&entry.text);
            *entry = Entry::default();
            self.free.push(symbol);
        }
    }

    /// The number of `text` in this segment, if the segment defines it.
    pub(crate) fn number_in(&self, text: &str, segment: u64) -> Option<u32> {
        let defined = self.entries[self.get(text)? as usize].defined;
        (defined.segment == segment).then_some(defined.number)
    }

    pub(crate) fn set_defined(&mut self, symbol: Symbol, at: InSegment) {
        self.entries[symbol as usize].defined = at;
    }

    /// Strings in use.
    pub(crate) fn len(&self) -> usize {
        self.by_text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_use_forgets_the_string_and_its_place_in_the_log() {
        let mut symbols = Symbols::default();
        let web = symbols.acquire("web");
        assert_eq!(symbols.acquire("web"), web);
        symbols.set_defined(web, InSegment { segment: 1, number: 7 });
        assert_eq!(symbols.number_in("web", 1), Some(7));
        assert_eq!(symbols.number_in("web", 2), None);
        symbols.release(web);
        assert_eq!(symbols.get("web"), Some(web));
        symbols.release(web);
        assert_eq!((symbols.get("web"), symbols.len()), (None, 0));
        let db = symbols.acquire("db");
        assert_eq!(symbols.number_in("db", 1), None, "a reused number does not inherit the place of another string");
        assert_eq!(&**symbols.text(db), "db");
    }
}
