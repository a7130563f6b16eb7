//! Branches of the control repository: what each delivers to each class.

use std::collections::BTreeMap;

use belay_core::model::ids::{ClassName, Environment};
use belay_core::model::item::ItemKey;

/// Texts by item: what lies on a host, or what a branch wants to lie there.
pub type Contents = BTreeMap<ItemKey, String>;

/// All branches, by the environment they are deployed as.
pub type Branches = BTreeMap<Environment, Branch>;

/// One branch.
#[derive(Clone, Debug, Default)]
pub struct Branch {
    /// The name its content goes by; none where nobody gave it one.
    pub version: Option<String>,
    contents: BTreeMap<ClassName, Contents>,
    broken: BTreeMap<ClassName, String>,
}

impl Branch {
    /// Puts a text into the branch.
    pub fn put(&mut self, class: &ClassName, key: ItemKey, text: &str) {
        self.contents.entry(class.clone()).or_default().insert(key, text.to_owned());
    }

    /// Breaks the branch for a class, with the error its hosts will be told, or mends it.
    pub fn set_broken(&mut self, class: &ClassName, error: Option<&str>) {
        match error {
            Some(error) => self.broken.insert(class.clone(), error.to_owned()),
            None => self.broken.remove(class),
        };
    }

    /// What the hosts of a class are to carry.
    ///
    /// # Errors
    /// The error of a branch that cannot be compiled for the class.
    pub fn offer(&self, class: &ClassName) -> Result<Contents, String> {
        match self.broken.get(class) {
            Some(error) => Err(error.clone()),
            None => Ok(self.contents.get(class).cloned().unwrap_or_default()),
        }
    }
}

/// Reads an item as people write it: `File[/etc/app.conf] content`, `environment`.
pub fn parse_item(text: &str) -> Option<ItemKey> {
    if text == "environment" {
        return Some(ItemKey::environment());
    }
    let (resource, parameter) = text.rsplit_once(' ')?;
    let (kind, title) = parse_resource(resource)?;
    (!parameter.is_empty()).then(|| ItemKey::new(kind, title, parameter))
}

/// Reads a resource as people write it: `File[/etc/app.conf]`.
pub fn parse_resource(text: &str) -> Option<(&str, &str)> {
    let (kind, title) = text.strip_suffix(']')?.split_once('[')?;
    (!kind.is_empty() && !title.is_empty()).then_some((kind, title))
}

/// The resource of an item, as the tool prints it.
pub fn resource_of(key: &ItemKey) -> String {
    format!("{}[{}]", key.kind, key.title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_reads_back_as_it_prints() {
        for text in ["File[/etc/app/sitemonitor.conf] content", "Package[app] ensure", "environment"] {
            assert_eq!(parse_item(text).unwrap().to_string(), text);
        }
        for text in ["File[/etc/app.conf]", "File content", "[x] content", "File[] content", ""] {
            assert_eq!(parse_item(text), None, "{text}");
        }
    }
}
