//! `cargo p1 tools`: installs the programs that build and check the project, each at its pinned version.

use std::io::Write;
use std::path::Path;

use p1_audit::text;
use p1_local::progress::Lines;
use p1_local::{Checkout, Tools};

use crate::exit::{CliError, ExitStatus};

/// The programs that are for users, and their names in the environment. The environment also has a `python3` of its own, which must
/// not come before theirs.
const PROGRAMS: [(&str, &str); 4] = [
    ("sam", "sam"),
    ("cargo-lambda", "cargo-lambda"),
    ("zig", "python-zig"),
    ("statelint", "statelint"),
];

/// Runs `cargo p1 tools`: installs what is missing, then prints the directory that holds [`PROGRAMS`] and nothing else. With names
/// it is the directory of the programs of each environment.
///
/// # Errors
/// Returns [`CliError::Usage`] for an environment that the project does not have, and [`CliError::Fault`] if the tools cannot be
/// installed.
pub async fn tools(names: &[String]) -> Result<ExitStatus, CliError> {
    let checkout = Checkout::default();
    if names.is_empty() {
        let tools = Tools::prepare(&checkout, &Lines).await?;
        let programs = checkout.root().join(".p1/programs");
        link(&tools.bin(), &programs)
            .map_err(|error| CliError::failed(&format!("link the tools in {}", programs.display()), &error))?;
        print(&programs)?;
    }
    for name in names {
        let requirements = checkout.local().join(format!("requirements-{name}.txt"));
        if !name.bytes().all(|byte| byte.is_ascii_lowercase()) || !requirements.is_file() {
            let name = text::clean(name);
            return Err(CliError::usage(format!(
                "there are no tools called {name}; infra/local has a requirements-NAME.txt for each"
            )));
        }
        let python = Tools::environment(&checkout, name, &requirements, &Lines).await?;
        print(python.parent().unwrap_or(&python))?;
    }
    Ok(ExitStatus::Advance)
}

fn print(directory: &Path) -> Result<(), CliError> {
    writeln!(std::io::stdout(), "{}", directory.display())
        .map_err(|error| CliError::failed("write to standard output", &error))
}

/// Links the programs of the environment in a directory of their own.
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for (name, program) in PROGRAMS {
        let (link, target) = (to.join(name), from.join(program));
        if std::fs::read_link(&link).is_ok_and(|linked| linked == target) {
            continue;
        }
        match std::fs::remove_file(&link) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => std::os::unix::fs::symlink(&target, &link)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_has_the_programs_and_no_python_of_its_own() {
        let root = tempfile::tempdir().unwrap();
        let (from, to) = (root.path().join("bin"), root.path().join("programs"));
        for _ in 0..2 {
            link(&from, &to).unwrap();
        }
        let mut names: Vec<String> = std::fs::read_dir(&to)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let mut expected = PROGRAMS.map(|(name, _)| name);
        expected.sort_unstable();
        assert_eq!(names, expected);
    }
}
