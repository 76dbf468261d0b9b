//! Reads a run's evidence and tells whether it is intact. Auditors who do not trust our tools can use this crate, and our tools
//! use it.
//!
//! Evidence is a set of objects by key ([`EvidenceSet`]). This crate uses no disk, network or clock; the caller reads the bytes.
//! [`Lineage`](lineage::Lineage) lists what a set holds, [`verify`](verify::verify) checks whether that is true, and
//! [`diff`](diff::diff) tells how two runs differ.
//!
//! # Verify a directory
//!
//! ```
//! use std::{fs, io, path::Path};
//!
//! use p1_audit::verify::{Report, Standing, verify};
//! use p1_audit::EvidenceSet;
//! use p1_audit::evidence_set::Unread;
//!
//! /// Every file below `dir`, by its path with `/` between the parts, and what is no ordinary file with a readable name.
//! fn files(dir: &Path, at: &str, all: &mut Vec<(String, Vec<u8>)>, unread: &mut Vec<(String, Unread)>) -> io::Result<()> {
//!     for entry in fs::read_dir(dir)? {
//!         let (entry, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
//!         let (path, kind) = (format!("{at}{}", name.to_string_lossy()), entry.symlink_metadata()?);
//!         match kind {
//!             _ if name.to_str().is_none() => unread.push((path, Unread::NoFile)),
//!             kind if kind.is_dir() => files(&entry, &format!("{path}/"), all, unread)?,
//!             kind if kind.is_file() => all.push((path, fs::read(&entry)?)),
//!             _ => unread.push((path, Unread::NoFile)),
//!         }
//!     }
//!     Ok(())
//! }
//!
//! fn verify_directory(dir: &Path) -> io::Result<Report> {
//!     let (mut all, mut unread) = (Vec::new(), Vec::new());
//!     files(dir, "", &mut all, &mut unread)?;
//!     Ok(verify(&EvidenceSet::from_mirror(all, unread), &[]))
//! }
//!
//! # let dir = std::env::temp_dir().join(format!("p1-audit-example-{}", std::process::id()));
//! # fs::create_dir_all(&dir)?;
//! # fs::write(dir.join("objects.json"), "[]\n")?;
//! let report = verify_directory(&dir)?;
//! assert_eq!(report.standing, Standing::Incomplete, "the directory holds no verdict");
//! # fs::remove_dir_all(&dir)?;
//! # Ok::<(), io::Error>(())
//! ```

pub mod diff;
pub mod entry;
pub mod evidence_set;
pub mod findings;
pub mod history;
pub mod lineage;
pub mod object_versions;
pub mod scenario_index;
pub mod text;
pub mod verify;

pub use evidence_set::EvidenceSet;
