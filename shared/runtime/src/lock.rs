//! Locks that a panic of another holder does not spoil.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a lock protects. Every change under these locks is whole, whoever panics.
pub(crate) fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
