//! How the local platform signs verdicts: with a key of this checkout that is created once, below `.p1`.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use p1_contract::attestation::PublicKey;
use p1_contract::secrets::scan_value;
use p256::SecretKey;
use p256::elliptic_curve::Generate as _;
use p256::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, LineEnding};
use serde_json::json;

use crate::checkout::Checkout;
use crate::checkout::{create_dir, write_atomically};
use crate::error::PlatformError;

/// How verdicts are signed on a local platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signing {
    /// They are not signed.
    Off,
    /// The checkout's own key ([`Checkout::signing_key`]).
    #[default]
    LocalKey,
    /// A key in the engine's KMS, which the template creates.
    Kms,
}

impl Signing {
    /// The value of the template's parameter.
    pub(super) fn parameter(self) -> &'static str {
        match self {
            Signing::Off => "off",
            Signing::LocalKey => "local_key",
            Signing::Kms => "kms",
        }
    }
}

/// The private key's file, readable only by its owner. Creates it if it is missing. The public key lies beside it.
///
/// # Errors
/// Fails if the key cannot be created, or if the file holds no such key.
pub(super) fn local_key(checkout: &Checkout) -> Result<PathBuf, PlatformError> {
    let path = checkout.signing_key();
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make(&path)?;
            fs::read_to_string(&path)
        }
        read => read,
    };
    let text = text.map_err(PlatformError::file("read", &path))?;
    let unusable = |why: String| {
        PlatformError::Deployment(format!(
            "{} is no private key of the curve P-256 in PEM ({why}); delete it to have one made",
            path.display()
        ))
    };
    let key = SecretKey::from_pkcs8_pem(&text).map_err(|error| unusable(error.to_string()))?;
    let public = PublicKey::new(key.public_key().into()).and_then(|key| key.to_pem());
    let public = public.map_err(|error| unusable(error.to_string()))?;
    let beside = checkout.signing_public_key();
    if fs::read_to_string(&beside).ok().as_deref() != Some(&public) {
        write_atomically(&beside, public.as_bytes())?;
    }
    Ok(path)
}

/// The private key's file as the deployment knows it. The path stands in evidence, whose scan for secrets takes one with spaces or
/// apostrophes, or of a folder whose name looks drawn, for a secret. Such a folder is reached by a link in `/tmp`.
///
/// # Errors
/// Fails as [`local_key`] does, or if the link cannot be made.
pub(super) fn known_key(checkout: &Checkout) -> Result<PathBuf, PlatformError> {
    let path = local_key(checkout)?;
    if stands_in_evidence(&path) {
        return Ok(path);
    }
    let folder = checkout.private();
    let own = fs::metadata(&folder).map_err(PlatformError::file("look at", &folder))?;
    let link = Path::new("/tmp").join(format!("p1-checkout-{}-{}", own.dev(), own.ino()));
    reach(&link, &folder, own.uid())?;
    Ok(link.join(path.file_name().unwrap_or_default()))
}

/// Makes the link to the folder, unless it is there. It must be `owner`'s, who owns the folder.
fn reach(link: &Path, folder: &Path, owner: u32) -> Result<(), PlatformError> {
    let failed = |error| PlatformError::file("make the link", link)(error);
    // A checkout that was moved has a link that leads nowhere. Nobody but the owner of a link can change it there.
    match fs::symlink_metadata(link) {
        Ok(there) if there.uid() != owner => {
            return Err(PlatformError::Deployment(format!(
                "{} is somebody else's, and the signing key cannot be reached through it; have it removed, or use a checkout in a folder \
                 without spaces and apostrophes",
                link.display()
            )));
        }
        Ok(_) if fs::read_link(link).is_ok_and(|target| target == folder) => return Ok(()),
        Ok(_) => fs::remove_file(link).map_err(failed)?,
        Err(_) => {}
    }
    match symlink(folder, link) {
        // Somebody made it meanwhile: another process of this checkout, or somebody else.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => reach(link, folder, owner),
        made => made.map_err(failed),
    }
}

/// Whether evidence keeps the path as it is.
fn stands_in_evidence(path: &Path) -> bool {
    scan_value(&json!({"signing_key": path.display().to_string()})).is_empty()
}

/// Creates the key. If two processes do so at the same time, one wins, and both use its key.
fn make(path: &Path) -> Result<(), PlatformError> {
    let failed =
        |why: String| PlatformError::Deployment(format!("failed to make the signing key {}: {why}", path.display()));
    let key = SecretKey::try_generate().map_err(|error| failed(error.to_string()))?;
    let pem = key
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|error| failed(error.to_string()))?;
    if let Some(parent) = path.parent() {
        create_dir(parent)?;
    }
    let draft = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .map_err(PlatformError::file("create", &draft))?;
    let written = file
        .write_all(pem.as_bytes())
        .and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    match written {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(PlatformError::file("create", path)(error)),
        _ => removed.map_err(PlatformError::file("remove", &draft)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn evidence_keeps_the_path_of_the_key_wherever_the_checkout_lies() {
        let root = std::env::temp_dir().join(format!("p1-signing-of-{}", std::process::id()));
        let plain = Checkout::at(&root.join("work"));
        assert_eq!(known_key(&plain).unwrap(), plain.signing_key());
        let checkout = Checkout::at(&root.join("it's here"));
        for _ in 0..2 {
            let path = known_key(&checkout).unwrap();
            assert!(
                !stands_in_evidence(&checkout.signing_key()) && stands_in_evidence(&path),
                "{path:?}"
            );
            assert_eq!(fs::read(&path).unwrap(), fs::read(checkout.signing_key()).unwrap());
        }
        // It follows a checkout that is moved.
        let moved = Checkout::at(&root.join("it's there"));
        fs::rename(checkout.root(), moved.root()).unwrap();
        let path = known_key(&moved).unwrap();
        assert_eq!(fs::read(&path).unwrap(), fs::read(moved.signing_key()).unwrap());
        fs::remove_file(path.parent().unwrap()).unwrap();
        let _ = fs::remove_dir_all(root);
    }

    #[test]
    fn a_checkout_has_one_key_which_its_owner_alone_can_read() {
        let root = std::env::temp_dir().join(format!("p1-signing-{}", std::process::id()));
        let checkout = Checkout::at(&root);
        let path = local_key(&checkout).unwrap();
        let first = fs::read_to_string(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(local_key(&checkout).unwrap(), path);
        assert_eq!(fs::read_to_string(&path).unwrap(), first);
        let public = fs::read_to_string(checkout.signing_public_key()).unwrap();
        assert!(PublicKey::from_pem(&public).is_ok() && !public.contains("PRIVATE"));
        let names: Vec<_> = fs::read_dir(checkout.private()).unwrap().collect();
        assert_eq!(names.len(), 2, "{names:?}");

        fs::write(&path, "no key").unwrap();
        let error = local_key(&checkout).unwrap_err().to_string();
        assert!(error.contains("delete it to have one made"), "{error}");
        let _ = fs::remove_dir_all(root);
    }
}
