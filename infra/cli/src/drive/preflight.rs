//! The checks before anything is started. Every file that the command line names is read and checked here once.
//!
//! A refusal is [`CliError::Usage`]. It names the option and the file, what is wrong, and what to do. The platform judges
//! everything else, such as a missing handle or a receipt that is not green. That is a verdict and not a usage error.

use std::fs;
use std::path::{Path, PathBuf};

use p1_audit::text;
use p1_contract::exact::Exact;
use p1_contract::ids::S3Key;
use p1_contract::input::is_to_fill;
use p1_contract::secrets;
use p1_contract::strict::{JsonError, Limits, parse_foreign, parse_strict};
use serde_json::Value;

use crate::args::RunArgs;
use crate::exit::CliError;
use crate::named::{Named, shown};

/// The largest size of a handles registry in bytes (contract section 2).
const REGISTRY_MAX_BYTES: u64 = 4 << 20;
/// The largest size of any other document in bytes (contract section 2).
const DOCUMENT_MAX_BYTES: u64 = 1 << 20;
/// The largest execution input in bytes that Step Functions accepts.
const INPUT_MAX_BYTES: u64 = 256 << 10;
/// The largest object in bytes that one PUT can carry.
const OBJECT_MAX_BYTES: u64 = 5 << 30;
/// What these limits do.
const ALLOWED: &str = "allowed";

const ORACLE_DIR: &str = "--oracle-dir";

/// The files of a run, read and checked.
#[derive(Debug, Default)]
pub struct Inputs {
    /// `--registry`.
    pub registry: Option<Vec<u8>>,
    /// `--stack-outputs`, in the order of the command line.
    pub stack_outputs: Vec<Vec<u8>>,
    /// `--oracle-dir`, sorted by key.
    pub oracle: Option<Vec<OracleFile>>,
    /// `--billing`.
    pub billing: Option<Vec<u8>>,
    /// `--m2-receipt`.
    pub m2_receipt: Option<Vec<u8>>,
    /// `--input`.
    pub input: Option<Value>,
}

/// A file of `--oracle-dir` and the key that it is uploaded to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OracleFile {
    /// The path below the directory, with `/` between its parts.
    pub key: S3Key,
    /// Where the file is.
    pub path: PathBuf,
}

/// Reads and checks everything that the command line names.
///
/// # Errors
/// Returns [`CliError::Usage`] for the first file that is not usable.
pub fn check(args: &RunArgs) -> Result<Inputs, CliError> {
    if args.stack.is_some() && args.m2_receipt.is_none() && args.input.is_none() {
        return Err(CliError::usage(
            "--stack starts nothing by itself: give --m2-receipt FILE to hand over from M2, or --input FILE to start with an execution input",
        ));
    }
    let inputs = Inputs {
        registry: args.registry.as_deref().map(registry).transpose()?,
        stack_outputs: args
            .stack_outputs
            .iter()
            .map(|path| stack_outputs(path))
            .collect::<Result<_, _>>()?,
        oracle: args.oracle_dir.as_deref().map(oracle_dir).transpose()?,
        billing: args.billing.as_deref().map(billing).transpose()?,
        m2_receipt: args.m2_receipt.as_deref().map(m2_receipt).transpose()?,
        input: args.input.as_deref().map(execution_input).transpose()?,
    };
    if inputs.m2_receipt.is_some() && inputs.input.as_ref().is_some_and(|input| receipt_key(input).is_none()) {
        return Err(CliError::usage(
            "--m2-receipt does not go with this --input: the input names no M2 receipt; leave one of the two out",
        ));
    }
    if let Some(out) = &args.out {
        out_dir(out)?;
    }
    Ok(inputs)
}

/// Refuses a mirror folder that is not empty, because evidence of two executions is never mixed, and one that cannot be written
/// to. Nothing is left there.
///
/// # Errors
/// Returns [`CliError::Usage`] if it exists and is not an empty directory, or if no file can be made there.
pub fn out_dir(out: &Path) -> Result<(), CliError> {
    let refuse = |what: &str| {
        Err(CliError::usage(format!(
            "--out {}: {what}; name a folder that is new or empty",
            shown(out)
        )))
    };
    match fs::read_dir(out) {
        Ok(mut entries) => match entries.next() {
            None => writable(out).or_else(|error| refuse(&format!("cannot be written to ({error})"))),
            Some(_) if out.join("objects.json").is_file() => refuse("holds evidence already"),
            Some(_) if out.join("evidence").is_dir() => {
                refuse("holds a part of the evidence of another execution, whose mirror was interrupted")
            }
            Some(_) => refuse("is not empty"),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let above = out
                .ancestors()
                .skip(1)
                .find(|above| above.exists() || above.as_os_str().is_empty());
            let above = above
                .filter(|above| !above.as_os_str().is_empty())
                .unwrap_or(Path::new("."));
            writable(above).or_else(|error| refuse(&format!("cannot be made in {} ({error})", shown(above))))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => refuse("is not a directory"),
        Err(error) => refuse(&format!("cannot be read ({error})")),
    }
}

/// Whether a file can be made in a folder. It has no name there, or is removed at once.
fn writable(folder: &Path) -> std::io::Result<()> {
    tempfile::tempfile_in(folder).map(drop)
}

/// The key of the M2 receipt that an execution input names. Two of its forms name one.
#[must_use]
pub fn receipt_key(input: &Value) -> Option<&str> {
    input
        .pointer("/m2_handoff/key")
        .or_else(|| input.pointer("/detail/object/key"))?
        .as_str()
}

/// Reads and checks `--registry`.
///
/// # Errors
/// Returns [`CliError::Usage`] if the file is not a registry.
pub fn registry(path: &Path) -> Result<Vec<u8>, CliError> {
    let file = named("--registry", path);
    let bytes = file.read(REGISTRY_MAX_BYTES, ALLOWED)?;
    // The parser's message says what to do.
    p1_contract::registry::parse(&bytes).map_err(|error| file.refuse(&error.to_string()))?;
    Ok(bytes)
}

/// Reads `--reset`, which may be any JSON object, and puts in the actor that `--actor` names, and `now` where the receipt says no
/// time. The platform judges whether it is a complete receipt.
///
/// # Errors
/// Returns [`CliError::Usage`] if the file is not a JSON object, names another actor than `--actor`, or holds secret material:
/// the execution's input would show it.
pub fn reset(path: &Path, actor: Option<&str>, now: &str) -> Result<Value, CliError> {
    let file = named("--reset", path);
    let remedy = "give a reset receipt: {\"actor\": …, \"reason\": …, \"class\": …, \"scope\": …}";
    let (_, mut reset) = foreign_object(file, remedy)?;
    let is_open = |field: &Value| field.is_null() || field.as_str().is_some_and(is_to_fill);
    if let Some(actor) = actor {
        if !is_open(&reset["actor"]) && reset["actor"] != actor {
            return Err(file.refuse("it names another actor than --actor; name one of them"));
        }
        reset["actor"] = actor.into();
    }
    if is_open(&reset["at_utc"]) {
        reset["at_utc"] = now.into();
    }
    if let Some(hit) = secrets::scan_value(&reset).first() {
        return Err(file.refuse(&format!(
            "it holds secret material at {}: rule {}; take it out; nothing was started",
            text::clean(&hit.place),
            hit.rule
        )));
    }
    Ok(reset)
}

fn stack_outputs(path: &Path) -> Result<Vec<u8>, CliError> {
    let file = named("--stack-outputs", path);
    let remedy = "write it with `terraform output -json`";
    let bytes = file.read(DOCUMENT_MAX_BYTES, ALLOWED)?;
    // Parses as M3.A does, because a number may be longer than a float can hold.
    match Exact::parse(&bytes, Limits::DOCUMENT) {
        Ok(Exact::Map(_)) => Ok(bytes),
        Ok(_) => Err(no_object(file, remedy)),
        Err(error) => Err(not_json(file, &error, remedy)),
    }
}

fn billing(path: &Path) -> Result<Vec<u8>, CliError> {
    let remedy = "give a billing artifact (JSON, see infra/local/sample/billing.json)";
    Ok(foreign_object(named("--billing", path), remedy)?.0)
}

fn m2_receipt(path: &Path) -> Result<Vec<u8>, CliError> {
    Ok(foreign(named("--m2-receipt", path), "give the JSON receipt that M2.J published")?.0)
}

fn execution_input(path: &Path) -> Result<Value, CliError> {
    let file = named("--input", path);
    let remedy = "give an event, an operator start or a rerun as the README shows them";
    let bytes = file.read(INPUT_MAX_BYTES, ALLOWED)?;
    // A byte order mark may precede an AWS event, as it may in any file that passed through an editor.
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    let value = parse_strict(text, Limits::DOCUMENT).map_err(|error| not_json(file, &error, remedy))?;
    form(&value).map_err(|what| file.refuse(&format!("{what}; {remedy}")))?;
    Ok(value)
}

/// Checks the form of an execution input, as far as that is possible without the deployment.
fn form(value: &Value) -> Result<(), &'static str> {
    let object = value.as_object().ok_or("it is not a JSON object")?;
    let has = |field: &str| object.contains_key(field);
    if has("detail-type") || has("m2_handoff") || has("resume") {
        Ok(())
    } else if has("platform_run_id") {
        Err("it is the question of a later phase, which `cargo p1 gate` asks")
    } else {
        Err("it is of no known form: none of `detail-type`, `m2_handoff` and `resume` is there")
    }
}

/// A document of others, as bytes and as a value.
fn foreign(file: Named<'_>, remedy: &str) -> Result<(Vec<u8>, Value), CliError> {
    let bytes = file.read(DOCUMENT_MAX_BYTES, ALLOWED)?;
    let value = parse_foreign(&bytes, Limits::DOCUMENT).map_err(|error| not_json(file, &error, remedy))?;
    Ok((bytes, value))
}

fn foreign_object(file: Named<'_>, remedy: &str) -> Result<(Vec<u8>, Value), CliError> {
    let (bytes, value) = foreign(file, remedy)?;
    if value.is_object() {
        Ok((bytes, value))
    } else {
        Err(no_object(file, remedy))
    }
}

fn no_object(file: Named<'_>, remedy: &str) -> CliError {
    file.refuse(&format!("the document is JSON, but not an object; {remedy}"))
}

fn not_json(file: Named<'_>, error: &JsonError, remedy: &str) -> CliError {
    file.refuse(&format!("it is not JSON that can be read: {error}; {remedy}"))
}

fn named<'a>(option: &'a str, path: &'a Path) -> Named<'a> {
    Named { option, path }
}

fn oracle_dir(dir: &Path) -> Result<Vec<OracleFile>, CliError> {
    let mut files = Vec::new();
    walk(dir, dir, &mut files)?;
    if files.is_empty() {
        let why = "holds no file; give a folder with the oracle store's objects at their keys";
        return Err(named(ORACLE_DIR, dir).refuse(why));
    }
    files.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(files)
}

fn walk(root: &Path, dir: &Path, files: &mut Vec<OracleFile>) -> Result<(), CliError> {
    let unreadable = |path: &Path, error: &std::io::Error| {
        named(ORACLE_DIR, path).refuse(&format!("cannot be read ({error}); give a folder that you can read"))
    };
    for entry in fs::read_dir(dir).map_err(|error| unreadable(dir, &error))? {
        let path = entry.map_err(|error| unreadable(dir, &error))?.path();
        let refuse = |why: &str| named(ORACLE_DIR, &path).refuse(why);
        // Symbolic links to directories are not followed, because they can form circles or lead out of the folder.
        let own = fs::symlink_metadata(&path).map_err(|error| unreadable(&path, &error))?;
        let metadata = fs::metadata(&path).map_err(|error| unreadable(&path, &error))?;
        if metadata.is_dir() && !own.is_symlink() {
            walk(root, &path, files)?;
        } else if !metadata.is_file() {
            return Err(refuse("is neither a file nor a folder; leave it out"));
        } else if metadata.len() > OBJECT_MAX_BYTES {
            return Err(refuse(
                "is larger than 5 GiB; leave it out: the run reads manifests alone",
            ));
        } else {
            let key = key_below(root, &path)
                .ok_or_else(|| refuse("has a name that is not UTF-8; rename it: a key is UTF-8"))?;
            let key = S3Key::parse(&key).map_err(|error| refuse(&format!("{error}; rename it")))?;
            files.push(OracleFile { key, path });
        }
    }
    Ok(())
}

fn key_below(root: &Path, path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path.strip_prefix(root).ok()?.iter().map(|part| part.to_str()).collect();
    Some(parts?.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::{Scratch, says};
    use serde_json::json;

    const NOW: &str = "2026-11-22T12:17:01Z";

    /// Expects a refusal as usage that says this.
    fn refuses(parts: &[&str], change: impl FnOnce(&mut RunArgs, &Scratch)) {
        let scratch = Scratch::new();
        let mut args = RunArgs::default();
        change(&mut args, &scratch);
        match check(&args) {
            Err(CliError::Usage(message)) => says(&message, parts),
            other => panic!("not refused as usage: {other:?}"),
        }
    }

    #[test]
    fn nothing_named_is_nothing_refused() {
        assert!(check(&RunArgs::default()).is_ok());
    }

    #[test]
    fn good_files_are_taken_as_they_are() {
        let scratch = Scratch::new();
        let args = RunArgs {
            registry: Some(scratch.file("r.md", b"* `A = \"TO_PIN\"`\n")),
            stack_outputs: vec![scratch.file("s.json", b"{\"a\":{\"value\":1.5}}")],
            oracle_dir: Some(scratch.dir("oracle")),
            billing: Some(scratch.file("b.json", b"{}")),
            m2_receipt: Some(scratch.file("m.json", b"{\"overall_pass\":false}")),
            ..RunArgs::default()
        };
        scratch.file("oracle/b/c.json", b"{}");
        scratch.file("oracle/a.json", b"{}");
        let inputs = check(&args).unwrap();
        assert_eq!(inputs.registry.unwrap(), b"* `A = \"TO_PIN\"`\n");
        let keys: Vec<String> = inputs
            .oracle
            .unwrap()
            .into_iter()
            .map(|file| file.key.to_string())
            .collect();
        assert_eq!(keys, ["a.json", "b/c.json"]);
    }

    #[test]
    fn a_bad_file_is_named_with_its_option() {
        refuses(&["--registry", "none.md", "no such file"], |args, scratch| {
            args.registry = Some(scratch.path("none.md"));
        });
        refuses(&["is a directory"], |args, scratch| {
            args.registry = Some(scratch.dir("folder"));
        });
        for bytes in [&b""[..], b"# only prose\n", b"\xff\xfe* `A = 1`\n"] {
            refuses(&["--registry", "r.md"], |args, scratch| {
                args.registry = Some(scratch.file("r.md", bytes));
            });
        }
        refuses(&["4194304 allowed; give a smaller file"], |args, scratch| {
            args.registry = Some(scratch.file("r.md", &vec![b'x'; (4 << 20) + 1]));
        });
    }

    #[test]
    fn json_documents_are_json() {
        refuses(&["--m2-receipt", "m.json"], |args, scratch| {
            args.m2_receipt = Some(scratch.file("m.json", b"not json"));
        });
        refuses(&["--stack-outputs", "not an object"], |args, scratch| {
            args.stack_outputs = vec![scratch.file("s.json", b"[]")];
        });
        refuses(&["--billing", "twice"], |args, scratch| {
            args.billing = Some(scratch.file("b.json", b"{\"a\":1,\"a\":2}"));
        });
    }

    #[test]
    fn a_mark_is_passed_over_and_utf16_is_named() {
        let marked = |text: &str| format!("\u{feff}{text}").into_bytes();
        let scratch = Scratch::new();
        let args = RunArgs {
            registry: Some(scratch.file("r.md", &marked("* `A = 1`\r\n"))),
            stack_outputs: vec![scratch.file("s.json", &marked("{\"a\":{\"value\":1e999}}"))],
            m2_receipt: Some(scratch.file("m.json", &marked("{\"overall_pass\":true}"))),
            input: Some(scratch.file("i.json", &marked("{\"m2_handoff\":{\"key\":\"k\"}}"))),
            ..RunArgs::default()
        };
        assert_eq!(check(&args).unwrap().input, Some(json!({"m2_handoff": {"key": "k"}})));
        let receipt = reset(&scratch.file("reset.json", &marked("{\"actor\":\"a\"}")), None, NOW).unwrap();
        assert_eq!(receipt, json!({"actor": "a", "at_utc": NOW}));
        let utf16: Vec<u8> = "{\"a\":{\"value\":1}}"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        refuses(&["UTF-16", "save it as UTF-8"], |args, scratch| {
            args.stack_outputs = vec![scratch.file("s.json", &utf16)];
        });
    }

    /// Only the time is the tool's to say.
    #[test]
    fn a_receipt_gets_the_actor_that_is_named_and_the_time() {
        let scratch = Scratch::new();
        let read = |text: &str, actor: Option<&str>| reset(&scratch.file("reset.json", text.as_bytes()), actor, NOW);
        assert_eq!(read("{}", None).unwrap(), json!({"at_utc": NOW}));
        let offered = "{\"actor\":\"TO_FILL: who\",\"at_utc\":\"TO_FILL: when\"}";
        let expected = json!({"actor": "ann", "at_utc": NOW});
        assert_eq!(read(offered, Some("ann")).unwrap(), expected);
        let said = "{\"actor\":\"ann\",\"at_utc\":\"2026-11-22T12:00:00Z\"}";
        assert_eq!(read(said, Some("ann")).unwrap()["at_utc"], "2026-11-22T12:00:00Z");
        let message = read(said, Some("bob")).unwrap_err().to_string();
        says(&message, &["another actor"]);
    }

    #[test]
    fn a_receipt_with_a_secret_is_never_sent() {
        let scratch = Scratch::new();
        let secret = format!("AKIA{}", "IOSFODNN7EXAMPLQ");
        let receipt = json!({"actor": "a", "reason": format!("key {secret}")}).to_string();
        let file = scratch.file("reset.json", receipt.as_bytes());
        let message = reset(&file, None, NOW).unwrap_err().to_string();
        assert!(message.contains("/reason") && !message.contains(&secret), "{message}");
        let message = reset(&scratch.file("reset.json", b"{}"), Some(&secret), NOW)
            .unwrap_err()
            .to_string();
        assert!(message.contains("/actor") && !message.contains(&secret), "{message}");
    }

    #[test]
    fn an_input_is_of_a_known_form() {
        for bytes in [&b"{}"[..], b"[]", b"{\"a\":1}", b"nope"] {
            refuses(&["--input", "i.json"], |args, scratch| {
                args.input = Some(scratch.file("i.json", bytes));
            });
        }
    }

    #[test]
    fn a_mirror_folder_is_new_or_empty() {
        refuses(&["is not empty"], |args, scratch| {
            scratch.file("out/x", b"");
            args.out = Some(scratch.path("out"));
        });
        refuses(&["not a directory"], |args, scratch| {
            args.out = Some(scratch.file("file", b""));
        });
    }

    #[test]
    fn a_stack_needs_to_be_told_how_to_start() {
        refuses(&["--m2-receipt", "--input"], |args, _| {
            args.stack = Some("s".to_owned());
        });
    }

    #[test]
    fn an_empty_oracle_folder_is_refused() {
        refuses(&["--oracle-dir", "holds no file"], |args, scratch| {
            args.oracle_dir = Some(scratch.dir("oracle"));
        });
    }
}
