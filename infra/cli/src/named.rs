//! What the command line names: the values of options, and files.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{Error, ErrorKind, Read};
use std::path::Path;
use std::str::FromStr;

use p1_audit::text;

use crate::exit::CliError;

/// A path for people.
pub(crate) fn shown(path: &Path) -> String {
    text::clean(&path.display().to_string())
}

/// The value of an option, parsed.
///
/// # Errors
/// Returns [`CliError::Usage`] if it is malformed. The error names the option.
pub(crate) fn parsed<T: FromStr<Err: Display>>(option: &str, given: Option<&str>) -> Result<Option<T>, CliError> {
    let refused = |error: T::Err| CliError::usage(format!("{option}: {}", text::clean(&error.to_string())));
    given.map(str::parse).transpose().map_err(refused)
}

/// A file, and the option that names it.
#[derive(Clone, Copy)]
pub(crate) struct Named<'a> {
    pub(crate) option: &'a str,
    pub(crate) path: &'a Path,
}

impl Named<'_> {
    /// A refusal of the file. `why` says what is wrong and what to do.
    pub(crate) fn refuse(self, why: &str) -> CliError {
        CliError::usage(format!("{} {}: {}", self.option, shown(self.path), text::clean(why)))
    }

    fn unreadable(self, error: &Error) -> CliError {
        match error.kind() {
            ErrorKind::NotFound => self.refuse("there is no such file; check the path"),
            _ => self.refuse(&format!("cannot be read ({error}); give a file that you can read")),
        }
    }

    /// Reads the file. `allowed` says of whom the limit is.
    ///
    /// # Errors
    /// Returns [`CliError::Usage`] if there is no such file, if it cannot be read, or if it has more than `limit` bytes.
    pub(crate) fn read(self, limit: u64, allowed: &str) -> Result<Vec<u8>, CliError> {
        let metadata = fs::metadata(self.path).map_err(|error| self.unreadable(&error))?;
        if metadata.is_dir() {
            return Err(self.refuse("is a directory; name a file"));
        }
        let too_large = |bytes: u64| {
            let why = format!("has {bytes} bytes, more than the {limit} {allowed}; give a smaller file");
            Err(self.refuse(&why))
        };
        if metadata.len() > limit {
            return too_large(metadata.len());
        }
        // A pipe or a device does not say how much it holds.
        let mut bytes = Vec::new();
        let file = File::open(self.path).map_err(|error| self.unreadable(&error))?;
        let read = file.take(limit + 1).read_to_end(&mut bytes);
        match read.map_err(|error| self.unreadable(&error))? as u64 {
            read if read > limit => too_large(read),
            _ => Ok(bytes),
        }
    }
}
