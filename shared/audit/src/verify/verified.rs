//! Checks whether M3.A's record of how it verified the handles agrees with itself.

use p1_contract::artifacts::{CheckStatus, HandleClosureSnapshot, VerificationResult};
use p1_contract::evidence::Body;
use p1_contract::handles::VerificationMethod;

use super::shape::{Documents, read};
use crate::findings::Findings;

/// Checks every snapshot of M3.A. Evidence of revision 1 has neither status nor method.
pub(super) fn check(documents: &Documents, findings: &mut Findings) {
    for (key, document) in documents {
        if document["artifact"] != HandleClosureSnapshot::NAME {
            continue;
        }
        // A document that cannot be read has a finding already.
        let Some(document) = read::<HandleClosureSnapshot>(documents, key) else {
            continue;
        };
        let (snapshot, results) = (&document.body, &document.body.verification_results);
        if let Some(result) = results.iter().find(|result| !is_consistent(result)) {
            findings.tampered(key, format!("`pass` and `status` of {} differ", result.check));
        }
        let has_failed = results.iter().any(|result| result.pass == Some(false));
        if snapshot.overall_pass && has_failed {
            findings.tampered(key, "is a pass, and one of its checks is none");
        }
        if let Some(why) = methods(snapshot) {
            findings.tampered(key, why);
        }
    }
}

fn is_consistent(result: &VerificationResult) -> bool {
    match result.status {
        None => result.pass.is_some(),
        Some(CheckStatus::NotConfigured) => result.pass.is_none(),
        Some(status) => result.pass == Some(status == CheckStatus::Pass),
    }
}

fn methods(snapshot: &HandleClosureSnapshot) -> Option<&'static str> {
    let methods = snapshot.verification_method_by_handle.as_ref()?;
    let is_verified = |handle: &String| methods.get(handle) != Some(&VerificationMethod::NotVerified);
    let of_required = snapshot
        .required_handles
        .iter()
        .filter(|handle| methods.contains_key(*handle));
    if methods.len() != snapshot.required_handles.len() || of_required.count() != methods.len() {
        Some("`verification_method_by_handle` is not about the required handles")
    } else if snapshot.unresolved_handles.iter().any(is_verified) {
        Some("a handle without a value is verified")
    } else if snapshot.overall_pass && !snapshot.required_handles.iter().all(is_verified) {
        Some("is a pass, and a handle of it is not verified")
    } else {
        None
    }
}
