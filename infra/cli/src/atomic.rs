//! Writes files atomically.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::exit::CliError;
use crate::named::shown;

/// Writes a file so that a reader sees either the old content or the new content, never a part of it. Creates missing folders.
///
/// # Errors
/// Returns a fault that names the file.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::failed(&format!("write {}", shown(path)), &error);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    let mut builder = tempfile::Builder::new();
    // Gives the permissions of any new file. The library's default lets only the owner read it.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_whole_and_nothing_stays_behind() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("evidence/deep/file.json");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        // If a folder has this path, the write must fail with the file's name and not panic.
        let error = write(&scratch.path().join("evidence/deep"), b"x")
            .unwrap_err()
            .to_string();
        assert!(error.contains("evidence/deep"), "{error}");
    }
}
