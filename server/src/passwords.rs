//! Passwords as the database keeps them: Argon2id, with the parameters OWASP recommends
//! (19 MiB, 2 passes, 1 lane), which are the crate's defaults.

use argon2::{
    Argon2, PasswordHasher, PasswordVerifier,
    password_hash::{self, Error::PasswordInvalid},
};
use tokio::{sync::Semaphore, task::JoinError};

use crate::parse::Password;

/// Hashes computed at a time: each takes memory and a core, and anybody may ask for one.
const AT_A_TIME: usize = 2;

/// Why a password could not be hashed or compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// The hash can't be computed, or the stored one can't be read.
    #[error("argon2: {0}")]
    Hash(password_hash::Error),
    /// The thread that computed it is gone.
    #[error(transparent)]
    Thread(#[from] JoinError),
}

/// Hashes passwords and compares them.
pub struct Passwords {
    /// What an unknown name's password is compared with.
    nobodys: String,
    slots: Semaphore,
}

impl Passwords {
    /// Takes the time of one hash.
    ///
    /// # Errors
    /// When the system has no random numbers or no memory.
    pub fn new() -> Result<Self, PasswordError> {
        Ok(Self {
            nobodys: hash(&rand::random::<[u8; 32]>())?,
            slots: Semaphore::new(AT_A_TIME),
        })
    }

    /// The hash to store, in PHC format, with a salt of its own.
    ///
    /// # Errors
    /// When it can't be computed.
    pub async fn hash(&self, password: Password) -> Result<String, PasswordError> {
        self.off_thread(move || hash(password.as_bytes())).await
    }

    /// Whether `password` is the one that was hashed. Without a hash it is compared all
    /// the same, and is wrong: the time taken must not tell whether there is an account.
    ///
    /// # Errors
    /// When it can't be compared.
    pub async fn verify(
        &self,
        password: Password,
        stored: Option<String>,
    ) -> Result<bool, PasswordError> {
        let exists = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.nobodys.clone());
        let compare =
            move || match Argon2::default().verify_password(password.as_bytes(), stored.as_str()) {
                Ok(()) => Ok(exists),
                Err(PasswordInvalid) => Ok(false),
                Err(error) => Err(PasswordError::Hash(error)),
            };
        self.off_thread(compare).await
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let _slot = self
            .slots
            .acquire()
            .await
            .expect("the semaphore is never closed");
        tokio::task::spawn_blocking(work).await?
    }
}

fn hash(password: &[u8]) -> Result<String, PasswordError> {
    Argon2::default()
        .hash_password(password)
        .map(|hash| hash.to_string())
        .map_err(PasswordError::Hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_same_password_is_right() {
        let passwords = Passwords::new().unwrap();
        let of = |text| Password::attempt(text);
        let stored = passwords.hash(of("correct horse")).await.unwrap();
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored}"
        );
        let again = passwords.hash(of("correct horse")).await.unwrap();
        assert_ne!(stored, again, "each hash has a salt of its own");
        let right = passwords.verify(of("correct horse"), Some(stored.clone()));
        assert!(right.await.unwrap());
        let wrong = passwords.verify(of("correct house"), Some(stored));
        assert!(!wrong.await.unwrap());
        assert!(!passwords.verify(of("correct horse"), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_broken_hash_is_an_error_and_not_a_wrong_password() {
        let passwords = Passwords::new().unwrap();
        let broken = passwords.verify(Password::attempt("any"), Some("$argon2id$broken".into()));
        assert!(broken.await.is_err());
    }
}
