//! The roots that a function trusts for TLS. Loading the system's hundred and more roots takes most of the clients' CPU in the
//! init phase, and AWS needs only five.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use aws_smithy_http_client::tls::TrustStore;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::environment::EnvironmentError;

/// The roots of Amazon Trust Services: Amazon Root CA 1 to 4, and the Starfield root that signs them for older clients. The
/// certificates of all AWS endpoints of the commercial regions and of GovCloud chain to them. A test checks the file.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon_roots.pem");

/// The variable that gives AWS tools and most SDKs a bundle of roots. The SDK for Rust does not read it.
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// The largest bundle in bytes. Bundles of operating systems have a quarter of that.
const BUNDLE_LIMIT: u64 = 1 << 20;

/// Which roots are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The roots that AWS needs.
    Amazon,
    /// The system's roots, for an endpoint that is not AWS's own, and for the partitions with other authorities.
    System,
    /// Only the roots in this file.
    Bundle(PathBuf),
}

impl Trust {
    /// The roots that an environment asks for. If it names a bundle, the bundle is used.
    pub(crate) fn of(vars: &BTreeMap<String, String>) -> Self {
        let value = |name: &str| vars.get(name).map(String::as_str).filter(|value| !value.is_empty());
        if let Some(path) = value(CA_BUNDLE) {
            return Trust::Bundle(PathBuf::from(path));
        }
        let is_custom = vars
            .iter()
            .any(|(name, value)| name.starts_with(ENDPOINT) && !value.is_empty() && !is_plain(value));
        let region = value("AWS_REGION").unwrap_or_default();
        // China, the isolated partitions and the European Sovereign Cloud have their own authorities.
        let is_elsewhere = region.starts_with("cn-") || region.starts_with("eusc-") || region.contains("-iso");
        if is_custom || is_elsewhere {
            Trust::System
        } else {
            Trust::Amazon
        }
    }

    /// The trust store.
    ///
    /// # Errors
    /// Fails if the bundle cannot be read or holds no certificates.
    pub(crate) fn store(&self) -> Result<TrustStore, EnvironmentError> {
        match self {
            Trust::Amazon => Ok(TrustStore::empty().with_pem_certificate(AMAZON_ROOTS)),
            Trust::System => Ok(TrustStore::default()),
            Trust::Bundle(path) => {
                let pem = read_bundle(path).map_err(|problem| EnvironmentError {
                    name: CA_BUNDLE,
                    problem: format!("names {}, which {problem}", path.display()),
                })?;
                Ok(TrustStore::empty().with_pem_certificate(pem))
            }
        }
    }
}

/// The prefix of the variables for custom endpoints: one for all services, and one for each service.
const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// Whether S3 is reached without TLS, as on a local platform.
pub(crate) fn is_s3_plain(vars: &BTreeMap<String, String>) -> bool {
    let endpoint = ["AWS_ENDPOINT_URL_S3", ENDPOINT]
        .into_iter()
        .find_map(|name| vars.get(name).filter(|value| !value.is_empty()));
    endpoint.is_some_and(|endpoint| is_plain(endpoint))
}

fn is_plain(endpoint: &str) -> bool {
    endpoint
        .get(.."http:".len())
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"))
}

/// Reads and checks a bundle. The HTTP client itself would accept any bytes as certificates.
fn read_bundle(path: &Path) -> Result<Vec<u8>, String> {
    let mut pem = Vec::new();
    let mut file = File::open(path).map_err(|e| format!("cannot be opened ({e})"))?;
    let read = Read::by_ref(&mut file).take(BUNDLE_LIMIT + 1).read_to_end(&mut pem);
    read.map_err(|e| format!("cannot be read ({e})"))?;
    if pem.len() as u64 > BUNDLE_LIMIT {
        return Err(format!("has more than the {BUNDLE_LIMIT} bytes that a bundle may have"));
    }
    let roots = roots(&pem)?;
    if roots.is_empty() {
        return Err("holds no certificate in PEM".to_owned());
    }
    Ok(pem)
}

fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|e| format!("is not PEM ({e})"))?;
        store
            .add(certificate)
            .map_err(|e| format!("holds a certificate that cannot be used ({e})"))?;
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::io::Write as _;

    use p1_contract::hash::Sha256Hex;

    use super::*;

    /// The SHA-256 fingerprints that Amazon Trust Services publishes at https://www.amazontrust.com/repository/.
    const FINGERPRINTS: [(&str, &str); 5] = [
        (
            "Amazon Root CA 1",
            "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
        ),
        (
            "Amazon Root CA 2",
            "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
        ),
        (
            "Amazon Root CA 3",
            "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
        ),
        (
            "Amazon Root CA 4",
            "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
        ),
        (
            "Starfield Services Root Certificate Authority - G2",
            "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5",
        ),
    ];

    fn vars(given: &[(&str, &str)]) -> BTreeMap<String, String> {
        let mut vars: BTreeMap<_, _> = [("AWS_REGION".to_owned(), "eu-west-2".to_owned())].into();
        vars.extend(
            given
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        vars
    }

    #[test]
    fn the_amazon_roots_are_those_that_mozilla_trusts_by_their_published_fingerprints() {
        let mut pem = String::new();
        for (name, fingerprint) in FINGERPRINTS {
            let root = webpki_root_certs::TLS_SERVER_ROOT_CERTS
                .iter()
                .find(|root| Sha256Hex::of(root).as_str() == fingerprint)
                .unwrap_or_else(|| panic!("Mozilla does not trust {name} any more"));
            writeln!(pem, "# {name}").unwrap();
            writeln!(pem, "-----BEGIN CERTIFICATE-----").unwrap();
            let text = aws_smithy_types::base64::encode(root);
            for line in text.as_bytes().chunks(64) {
                writeln!(pem, "{}", std::str::from_utf8(line).unwrap()).unwrap();
            }
            writeln!(pem, "-----END CERTIFICATE-----").unwrap();
        }
        #[expect(clippy::disallowed_methods, reason = "UPDATE rewrites what is generated")]
        let update = std::env::var_os("UPDATE").is_some();
        if update {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/amazon_roots.pem"), &pem).unwrap();
        } else {
            assert_eq!(
                std::str::from_utf8(AMAZON_ROOTS).unwrap(),
                pem,
                "run it with UPDATE=1 and look at the difference"
            );
        }
    }

    #[test]
    fn every_amazon_root_can_be_used() {
        assert_eq!(roots(AMAZON_ROOTS).unwrap().len(), FINGERPRINTS.len());
    }

    #[test]
    fn aws_itself_needs_amazons_roots_alone() {
        for given in [
            vec![],
            vec![("AWS_REGION", "us-gov-west-1")],
            vec![("AWS_CA_BUNDLE", ""), ("AWS_ENDPOINT_URL", "")],
            vec![("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")],
        ] {
            assert_eq!(Trust::of(&vars(&given)), Trust::Amazon, "{given:?}");
        }
        for given in [
            vec![("AWS_ENDPOINT_URL", "https://s3.example.com")],
            vec![("AWS_ENDPOINT_URL_SFN", "HTTPS://sfn.example.com")],
            vec![("AWS_REGION", "cn-north-1")],
            vec![("AWS_REGION", "us-iso-east-1")],
            vec![("AWS_REGION", "eusc-de-east-1")],
        ] {
            assert_eq!(Trust::of(&vars(&given)), Trust::System, "{given:?}");
        }
        let given = [
            ("AWS_CA_BUNDLE", "/ca.pem"),
            ("AWS_ENDPOINT_URL", "https://s3.example.com"),
        ];
        assert_eq!(Trust::of(&vars(&given)), Trust::Bundle("/ca.pem".into()));
    }

    #[test]
    fn s3_is_plain_where_its_own_endpoint_says_so() {
        assert!(!is_s3_plain(&vars(&[])));
        assert!(is_s3_plain(&vars(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")])));
        assert!(!is_s3_plain(&vars(&[("AWS_ENDPOINT_URL", "https://x")])));
        let own = [("AWS_ENDPOINT_URL", "http://x"), ("AWS_ENDPOINT_URL_S3", "https://x")];
        assert!(!is_s3_plain(&vars(&own)));
    }

    #[test]
    fn a_bundle_that_is_none_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        let problem = |content: Option<&[u8]>| {
            if let Some(content) = content {
                File::create(&path).unwrap().write_all(content).unwrap();
            }
            Trust::Bundle(path.clone()).store().unwrap_err().to_string()
        };
        assert!(problem(None).contains("cannot be opened"));
        assert!(problem(Some(b"")).contains("holds no certificate"));
        let bad = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(problem(Some(bad)).contains("cannot be used"));
        let broken = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        assert!(problem(Some(broken)).contains("is not PEM"));
        let large = vec![b'\n'; 1 + usize::try_from(BUNDLE_LIMIT).unwrap()];
        let error = problem(Some(&large));
        assert!(
            error.contains("AWS_CA_BUNDLE") && error.contains("more than"),
            "{error}"
        );
        File::create(&path).unwrap().write_all(AMAZON_ROOTS).unwrap();
        assert!(Trust::Bundle(path).store().is_ok());
    }
}
