//! `cargo p1 env`: prints the environment for a function that runs outside the engine, for example under `cargo lambda watch` or
//! a debugger, and works on the local platform that is up.

use std::path::Path;

use p1_local::progress::Lines;
use p1_local::{Platform, Tools};
use serde_json::{Map, Value};

use super::deployment::up;
use super::{say, say_object};
use crate::args::JsonArgs;
use crate::exit::{CliError, ExitStatus};
use crate::shell::quoted;

/// Variables of the user that would point the SDK somewhere else than to the local platform.
const MISLEADING: [&str; 5] = [
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_SFN",
];

/// Runs `cargo p1 env`. It prints lines for `eval "$(cargo p1 env)"`, or one JSON object. The lines also put the pinned tools,
/// including `cargo lambda`, at the end of PATH.
///
/// # Errors
/// Returns [`CliError::Usage`] if no local platform is up, [`CliError::Fault`] if the tools cannot be installed.
pub async fn env(args: JsonArgs) -> Result<ExitStatus, CliError> {
    let platform = up().await?;
    let variables = variables_of(&platform);
    if args.json {
        let object: Map<String, Value> = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect();
        say_object(&Value::Object(object))?;
    } else {
        let tools = Tools::prepare(platform.checkout(), &Lines).await?;
        say(&script(&variables, &tools.bin()))?;
    }
    Ok(ExitStatus::Advance)
}

/// The variables that point SDK clients to a platform. A function's settings are not among them; they come with its event.
#[must_use]
pub fn variables_of(platform: &Platform) -> Vec<(&'static str, String)> {
    variables(platform.endpoint(), platform.region(), platform.account())
}

fn variables(endpoint: &str, region: &str, account: &str) -> Vec<(&'static str, String)> {
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", region),
        ("AWS_DEFAULT_REGION", region),
        // The engine uses the access key id as the account.
        ("AWS_ACCESS_KEY_ID", account),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

/// Lines for a POSIX shell. Evaluating them twice has the same effect as once.
fn script(variables: &[(&'static str, String)], bin: &Path) -> String {
    let mut lines = vec![format!("unset {}", MISLEADING.join(" "))];
    lines.extend(
        variables
            .iter()
            .map(|(name, value)| format!("export {name}={}", quoted(value))),
    );
    let bin = quoted(&bin.display().to_string());
    lines.push(format!(
        "case \":$PATH:\" in *:{bin}:*) ;; *) export PATH=\"$PATH\":{bin} ;; esac"
    ));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn example(endpoint: &str) -> Vec<(&'static str, String)> {
        variables(endpoint, "eu-west-2", "123456789012")
    }

    #[test]
    fn a_shell_reads_the_lines_as_they_are_meant_however_often() {
        let hostile = "it's $(false) \"x\" \\ `y`";
        let script = script(&example(hostile), Path::new("/a folder/bin"));
        let print = "printf '%s\\n%s\\n%s' \"$AWS_ENDPOINT_URL\" \"$AWS_PROFILE\" \"$PATH\"";
        let output = Command::new("sh")
            .args(["-euc", &format!("{script}\n{script}\nset +u\n{print}")])
            .env("AWS_PROFILE", "somebody")
            .env("PATH", "/usr/bin:/bin")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            format!("{hostile}\n\n/usr/bin:/bin:/a folder/bin")
        );
    }
}
