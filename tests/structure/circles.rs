//! Which modules of a crate import which, read from their `use` lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The source files of the crate in `place` without its tests, each up to its own test module.
pub(crate) fn sources(place: &Path) -> Vec<(PathBuf, String)> {
    let mut sources = Vec::new();
    collect(&place.join("src"), &mut sources);
    assert!(!sources.is_empty(), "{} holds no source", place.display());
    sources
}

fn collect(folder: &Path, sources: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if stem == "tests" || stem.ends_with("_tests") {
            continue;
        }
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            sources.push((path, code.to_owned()));
        }
    }
}

/// Every circle of the crate in `place`, one line each.
pub(crate) fn of_crate(place: &Path) -> Vec<String> {
    let sources = sources(place);
    let modules: BTreeMap<Vec<String>, &str> = sources
        .iter()
        .map(|(path, text)| (module(path.strip_prefix(place.join("src")).unwrap()), text.as_str()))
        .collect();
    let imports: BTreeMap<&Vec<String>, BTreeSet<Vec<String>>> = modules
        .iter()
        .map(|(module, text)| (module, imports(module, text, &modules)))
        .collect();
    let mut circles = BTreeSet::new();
    for start in modules.keys() {
        let reached = reached(start, &imports);
        let with: Vec<String> = reached
            .iter()
            .filter(|other| imports.contains_key(other) && self::reached(other, &imports).contains(start))
            .map(|other| other.join("::"))
            .collect();
        if !with.is_empty() {
            circles.insert(format!("{}: {}", place.display(), with.join(", ")));
        }
    }
    circles.into_iter().collect()
}

/// The path of the module in this file; the crate's root has none.
fn module(file: &Path) -> Vec<String> {
    let mut parts: Vec<String> = file
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if ["lib", "mod", "main"].contains(&parts.last().unwrap().as_str()) {
        parts.pop();
    }
    parts
}

fn reached(start: &Vec<String>, imports: &BTreeMap<&Vec<String>, BTreeSet<Vec<String>>>) -> BTreeSet<Vec<String>> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(module) = open.pop() {
        for next in imports.get(module).into_iter().flatten() {
            if reached.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    reached
}

/// The modules that this one takes something from. What it only hands on (`pub use`) it does not use.
fn imports(module: &[String], text: &str, modules: &BTreeMap<Vec<String>, &str>) -> BTreeSet<Vec<String>> {
    let mut imports = BTreeSet::new();
    for statement in text.split("\nuse ").skip(1) {
        let statement: String = statement
            .split(';')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        for path in leaves(&statement) {
            let mut parts: Vec<&str> = path.split("::").collect();
            let mut at: Vec<String> = match parts.first() {
                Some(&"crate") => Vec::new(),
                Some(&"self") => module.to_vec(),
                Some(&"super") => module[..module.len().saturating_sub(1)].to_vec(),
                _ => continue,
            };
            parts.remove(0);
            while parts.first() == Some(&"super") {
                at.pop();
                parts.remove(0);
            }
            for part in parts {
                at.push(part.to_owned());
                if !modules.contains_key(&at) {
                    at.pop();
                    break;
                }
            }
            // A module and those below it are one room: what they take from it is no way out.
            if !module.starts_with(&at) {
                imports.insert(at);
            }
        }
    }
    imports
}

/// The single paths of a `use` statement: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn leaves(statement: &str) -> Vec<String> {
    let Some((head, rest)) = statement.split_once('{') else {
        return vec![statement.to_owned()];
    };
    let (mut depth, mut item, mut items) = (0, String::new(), Vec::new());
    for c in rest[..rest.rfind('}').unwrap_or(rest.len())].chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(std::mem::take(&mut item));
                continue;
            }
            _ => {}
        }
        item.push(c);
    }
    items.push(item);
    items
        .iter()
        .filter(|item| !item.is_empty())
        .flat_map(|item| leaves(&format!("{head}{item}")))
        .collect()
}
