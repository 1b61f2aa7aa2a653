//! AWS as the kinds use it: clients, what failed calls mean, retries, and the only poll loop.

pub mod addresses;
pub mod clients;
mod failure;
pub mod retry;
pub mod wait;

pub use failure::Failure;

/// What a call answered.
///
/// # Errors
/// Where AWS refused it, or could not be reached.
pub fn sent<T, E>(result: Result<T, E>) -> Result<T, Failure>
where
    Failure: From<E>,
{
    result.map_err(Failure::from)
}

/// What a call found: `None` where AWS says that the thing does not exist.
///
/// # Errors
/// As [`sent`].
pub fn found<T, E>(result: Result<T, E>) -> Result<Option<T>, Failure>
where
    Failure: From<E>,
{
    match sent(result) {
        Ok(answer) => Ok(Some(answer)),
        Err(failure) if failure.is_absent() => Ok(None),
        Err(failure) => Err(failure),
    }
}
