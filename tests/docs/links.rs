//! Links between the pages lead somewhere, and every `cargo p1` command of the pages can be typed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::root;

fn pages() -> Result<Vec<PathBuf>, std::io::Error> {
    let top = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
    ];
    let mut pages: Vec<PathBuf> = top.iter().map(|name| root().join(name)).collect();
    for entry in fs::read_dir(root().join("docs"))? {
        pages.push(entry?.path());
    }
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    Ok(pages)
}

/// The anchors of a page, as code hosts make them of headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// What stands in the parentheses of links.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

#[test]
fn every_link_leads_somewhere() -> Result<(), std::io::Error> {
    let mut count = 0;
    for page in pages()? {
        let text = fs::read_to_string(&page)?;
        for target in targets(&text).filter(|target| !target.contains("://") && !target.contains(' ')) {
            let (file, anchor) = target
                .split_once('#')
                .map_or((target, None), |(file, anchor)| (file, Some(anchor)));
            let folder = page.parent().unwrap_or(Path::new("."));
            let led = if file.is_empty() {
                page.clone()
            } else {
                folder.join(file)
            };
            assert!(led.exists(), "{}: {target} is not there", page.display());
            if let Some(anchor) = anchor.filter(|_| led.extension().is_some_and(|extension| extension == "md")) {
                let known = anchors(&fs::read_to_string(&led)?);
                assert!(
                    known.contains(anchor),
                    "{}: {target} has no such heading",
                    page.display()
                );
            }
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
    Ok(())
}

#[test]
fn every_command_and_option_of_the_pages_is_known() -> Result<(), std::io::Error> {
    let program = p1::command();
    let mut count = 0;
    for page in pages()?.into_iter().filter(|page| !page.ends_with("CHANGELOG.md")) {
        let text = fs::read_to_string(&page)?;
        for (at, _) in text.match_indices("cargo p1 ") {
            let line = text[at..].lines().next().unwrap_or_default();
            let line = line
                .split(['`', '#', ')', '|', '>', '"', ';'])
                .next()
                .unwrap_or_default();
            let mut words = line.split_whitespace().skip(2);
            let Some(name) = words
                .next()
                .filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
            else {
                continue;
            };
            if name.starts_with('-') {
                continue;
            }
            let name = name.trim_end_matches(['.', ',']);
            let command = program.find_subcommand(name);
            assert!(
                command.is_some(),
                "{}: `{line}`: there is no command {name}",
                page.display()
            );
            // The benchmark reads its own options.
            let Some(command) = command.filter(|_| name != "bench") else {
                continue;
            };
            for option in words.filter_map(|word| word.trim_matches(['[', ']', '…', ',', '.']).strip_prefix("--")) {
                let known = command.get_arguments().chain(program.get_arguments());
                let mut known = known.filter_map(clap::Arg::get_long);
                let is_known = option == "help" || option.is_empty() || known.any(|long| long == option);
                assert!(is_known, "{}: `{line}`: {name} has no --{option}", page.display());
                count += 1;
            }
        }
    }
    assert!(count > 20, "{count}");
    Ok(())
}
