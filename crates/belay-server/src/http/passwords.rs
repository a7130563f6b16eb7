//! Passwords: hashed and verified on threads where waiting is allowed, a few at a time, since each costs memory on purpose.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use argon2::password_hash::CustomizedPasswordHasher;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params, PasswordVerifier};
use tokio::sync::Semaphore;

use super::refusal::Refusal;

/// The shortest password, in characters.
pub const PASSWORD_MIN: usize = 12;
/// The longest one, in bytes.
pub const PASSWORD_MAX: usize = 1024;
/// Passwords that are hashed at one time.
const AT_ONCE: usize = 2;
/// How long one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// What hashing a password costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for Cost {
    /// What OWASP asks of Argon2id at least (2026).
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2 }
    }
}

/// Hashes and verifies passwords.
#[derive(Clone)]
pub struct Passwords {
    cost: Cost,
    turns: Arc<Semaphore>,
    /// The hash of nothing that anybody knows: what is verified where there is no account.
    nobody: Arc<OnceLock<String>>,
}

impl Passwords {
    /// Passwords at this cost.
    pub fn new(cost: Cost) -> Self {
        Self { cost, turns: Arc::new(Semaphore::new(AT_ONCE)), nobody: Arc::default() }
    }

    /// The hash of a password that is to be set.
    ///
    /// # Errors
    /// 422 when it is too short or too long, 503 when too many wait for their turn.
    pub async fn hash(&self, name: &str, password: String) -> Result<String, Refusal> {
        if let Err(why) = fit(name, &password) {
            return Err(Refusal::new(axum::http::StatusCode::UNPROCESSABLE_ENTITY, "invalid", format!("/password: {why}")));
        }
        let cost = self.cost;
        self.on_thread(move || hash(cost, password.as_bytes())).await?.ok_or_else(Refusal::internal)
    }

    /// Whether a password fits a hash. Where there is no hash it takes as long, and does not fit.
    ///
    /// # Errors
    /// 503 when too many wait for their turn.
    pub async fn fits(&self, known: Option<String>, password: String) -> Result<bool, Refusal> {
        let (cost, nobody) = (self.cost, Arc::clone(&self.nobody));
        self.on_thread(move || {
            let known = known.as_deref().filter(|_| password.len() <= PASSWORD_MAX);
            let other = || nobody.get_or_init(|| crate::secret::fresh().ok().and_then(|s| hash(cost, s.as_bytes())).unwrap_or_default());
            let against = known.unwrap_or_else(|| other());
            let password = if known.is_some() { password.as_bytes() } else { b"" };
            let fits = PasswordHash::new(against).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok());
            fits && known.is_some()
        })
        .await
    }

    async fn on_thread<R: Send + 'static>(&self, work: impl FnOnce() -> R + Send + 'static) -> Result<R, Refusal> {
        let busy = || Refusal::unavailable("too many people log in at once; try again", 5);
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| busy())?.map_err(|_| busy())?;
        let task = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        task.await.map_err(|_| Refusal::internal())
    }
}

fn hash(cost: Cost, password: &[u8]) -> Option<String> {
    let fresh = crate::secret::bytes::<16>().ok()?;
    let params = Params::new(cost.memory_kib, cost.passes, 1, None).ok()?;
    let hashed = Argon2::default().hash_password_with_params(password, &fresh, params);
    hashed.ok().map(|hash: PasswordHash| hash.to_string())
}

/// Length is what makes a password strong; what it is made of is the person's affair.
fn fit(name: &str, password: &str) -> Result<(), String> {
    if password.chars().count() < PASSWORD_MIN {
        return Err(format!("it is shorter than {PASSWORD_MIN} characters; take a few words"));
    }
    if password.len() > PASSWORD_MAX {
        return Err(format!("it is longer than {PASSWORD_MAX} bytes"));
    }
    if password.to_lowercase().contains(&name.to_lowercase()) && password.chars().count() < PASSWORD_MIN + name.chars().count() {
        return Err("it is little more than the name".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_and_nobodys_fits_none() {
        let passwords = Passwords::new(Cost { memory_kib: 8, passes: 1 });
        let hash = passwords.hash("alice", "correct horse battery".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
        assert_ne!(hash, passwords.hash("alice", "correct horse battery".into()).await.unwrap(), "each is mixed with something of its own");
        let fits = async |known: Option<&str>, password: &str| passwords.fits(known.map(str::to_owned), password.into()).await.unwrap();
        assert!(fits(Some(&hash), "correct horse battery").await);
        assert!(!fits(Some(&hash), "correct horse batterz").await);
        assert!(!fits(Some(&hash), "").await);
        assert!(!fits(None, "").await && !fits(None, "anything").await);
        assert!(!fits(Some("no hash at all"), "anything").await);
    }

    #[test]
    fn short_passwords_and_those_that_say_the_name_are_not_taken() {
        assert!(fit("alice", "elevenchars").is_err());
        assert!(fit("administrator", "Administrator1").is_err());
        assert!(fit("alice", &"x".repeat(PASSWORD_MAX + 1)).is_err());
        assert!(fit("alice", "four plain words here").is_ok());
    }
}
