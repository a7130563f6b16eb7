//! What is said of a host, put together from arguments and files.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use belay_core::model::ids::Release;

/// The largest file a release is read from, in bytes.
const RELEASE_FILE_MAX: u64 = 4096;

/// The release that stands in the first line of a file.
///
/// # Errors
/// When the file cannot be read, is larger than 4 KiB, or its first line is no release.
pub fn release_from_file(path: &Path) -> Result<Release> {
    let size = std::fs::metadata(path).with_context(|| format!("cannot look at {}", path.display()))?.len();
    if size > RELEASE_FILE_MAX {
        bail!("{} has {size} bytes; a file that names a release has one short line", path.display());
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    release_from_text(&text).with_context(|| format!("{}:1", path.display()))
}

/// The release that stands in the first line of a text; white space around it does not count.
///
/// # Errors
/// When the line is empty or no release.
pub fn release_from_text(text: &str) -> Result<Release> {
    let line = text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default().trim();
    Release::parse(line).map_err(|bad| anyhow::anyhow!("the first line is no release: {bad}"))
}

/// Facts from arguments of the form `name=value`; a later one of the same name holds.
///
/// # Errors
/// When an argument has no `=` or no name.
pub fn facts_from_args(args: &[String]) -> Result<BTreeMap<String, String>> {
    let pair = |arg: &String| match arg.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => bail!("--fact {arg}: it must be NAME=VALUE"),
    };
    args.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_the_first_line_without_the_white_space_around_it() {
        assert_eq!(release_from_text("\u{feff} 142 \r\nbuilt by ci\n").unwrap().as_str(), "142");
        for bad in ["", "\n142", "1 2", "a/b"] {
            assert!(release_from_text(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn facts_are_pairs_and_the_last_of_a_name_holds() {
        let args = ["dc=fra", "dc=iad", "note=a=b"].map(str::to_owned);
        let facts = facts_from_args(&args).unwrap();
        assert_eq!((facts["dc"].as_str(), facts["note"].as_str()), ("iad", "a=b"));
        assert!(facts_from_args(&["dc".to_owned()]).is_err());
        assert!(facts_from_args(&["=x".to_owned()]).is_err());
    }
}
