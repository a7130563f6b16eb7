//! The title of a resource that is still a text. It stands near the beginning and the rest need not
//! be looked at, which for a catalog of a thousand resources is most of what there is to be read.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

/// The title; none where the text has none. The text need be whole only as far as its title.
pub(super) fn of(resource: &str) -> Option<Cow<'_, str>> {
    let mut found = None;
    // Ends with an error as soon as the title is found, for there is no other way to end early.
    _ = serde_json::Deserializer::from_str(resource).deserialize_map(Seeker(&mut found));
    found
}

struct Seeker<'f, 'a>(&'f mut Option<Cow<'a, str>>);

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Visitor<'a> for Seeker<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a resource")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(key)) = map.next_key()? {
            if key == "title" {
                let Text(title) = map.next_value()?;
                *self.0 = Some(title);
                return Err(A::Error::custom(""));
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn the_title_is_that_of_the_resource_itself() {
        assert_eq!(of(r#"{"type":"File","title":"/a","parameters":{}}"#).as_deref(), Some("/a"));
        assert_eq!(of(r#"{"parameters":{"title":"no"},"\u0074itle":"\u002fa"}"#).as_deref(), Some("/a"));
        for none in [r#"{"parameters":{"title":"no"}}"#, r#"{"title":5}"#, r#"["title"]"#, "{}"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
