//! Secrets of credentials: 32 random bytes of the operating system, as text with a prefix by which
//! scanners find one that was published by mistake.

use thiserror::Error;

/// The beginning of every secret.
pub const PREFIX: &str = "belay_";

/// The operating system gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the operating system gave no random bytes")]
pub struct NoRandomness;

/// A new secret.
///
/// # Errors
/// [`NoRandomness`].
pub fn fresh() -> Result<String, NoRandomness> {
    Ok(bytes::<32>()?.iter().fold(PREFIX.to_owned(), |text, byte| format!("{text}{byte:02x}")))
}

/// So many random bytes.
///
/// # Errors
/// [`NoRandomness`].
pub fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_and_never_the_same() {
        let (a, b) = (fresh().unwrap(), fresh().unwrap());
        assert_eq!(a.len(), PREFIX.len() + 64);
        assert!(a.starts_with(PREFIX) && a != b);
    }
}
