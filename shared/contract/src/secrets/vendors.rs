//! Tokens that vendors give a mark of their own, such as `ghp_…`.
//!
//! The marks, alphabets and lengths are facts of the vendors, taken from the rules of gitleaks (github.com/gitleaks/gitleaks,
//! commit b58d3f1) and, for Databricks, Azure and AWS, from what these vendors document.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::patterns::{looks_random, pattern};

/// The characters of a token after its mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alphabet {
    /// Hexadecimal digits.
    Hex,
    /// Letters and digits.
    Alphanumeric,
    /// Letters, digits, `_` and `-`.
    Word,
    /// What [`Alphabet::Word`] has, and `.`.
    Dotted,
    /// Base64, of both kinds.
    Base64,
}

impl Alphabet {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::Word => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
            Self::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'='),
        }
    }
}

use Alphabet::{Alphanumeric, Base64, Dotted, Hex, Word};

/// A mark, and the least characters of the alphabet that make a token with it.
const MARKS: &[(&str, Alphabet, usize)] = &[
    // What this platform runs on.
    ("dapi", Hex, 32),
    ("dkea", Hex, 32),
    ("dose", Hex, 32),
    ("ABSK", Base64, 40),
    ("bedrock-api-key-", Base64, 20),
    ("FwoGZXIvYXdz", Base64, 60),
    ("IQoJb3JpZ2lu", Base64, 60),
    // Source and package hosts.
    ("ghp_", Alphanumeric, 36),
    ("gho_", Alphanumeric, 36),
    ("ghu_", Alphanumeric, 36),
    ("ghs_", Alphanumeric, 36),
    ("ghr_", Alphanumeric, 36),
    ("github_pat_", Word, 60),
    ("glpat-", Dotted, 20),
    ("gldt-", Word, 20),
    ("glrt-", Dotted, 20),
    ("glptt-", Hex, 40),
    ("glcbt-", Word, 20),
    ("glft-", Word, 20),
    ("glffct-", Word, 20),
    ("glimt-", Word, 20),
    ("glagent-", Word, 40),
    ("gloas-", Word, 50),
    ("glsoat-", Word, 20),
    ("_gitlab_session=", Alphanumeric, 32),
    ("GR1348941", Word, 20),
    ("ATATT3", Base64, 60),
    ("ATBB", Alphanumeric, 24),
    ("npm_", Alphanumeric, 36),
    ("pypi-AgE", Word, 50),
    ("rubygems_", Hex, 48),
    ("CLOJARS_", Alphanumeric, 60),
    ("oy2", Alphanumeric, 43),
    ("AKCp", Alphanumeric, 60),
    ("cmVmd", Alphanumeric, 59),
    ("dckr_pat_", Word, 20),
    // Clouds and what runs on them.
    ("AIza", Word, 35),
    ("GOCSPX-", Word, 24),
    ("ya29.", Word, 20),
    ("LTAI", Alphanumeric, 20),
    ("AQVN", Word, 35),
    ("doo_v1_", Hex, 64),
    ("dop_v1_", Hex, 64),
    ("dor_v1_", Hex, 64),
    ("HRKU-AA", Word, 50),
    ("fo1_", Word, 43),
    ("fm1a_", Base64, 60),
    ("fm1r_", Base64, 60),
    ("fm2_", Base64, 60),
    ("sha256~", Word, 43),
    ("v1.0-", Word, 100),
    ("pul-", Hex, 40),
    ("pnu_", Alphanumeric, 36),
    ("hvs.", Word, 24),
    ("hvb.", Word, 60),
    ("atlasv1.", Base64, 60),
    ("dp.pt.", Alphanumeric, 40),
    ("dp.st.", Dotted, 40),
    ("AGE-SECRET-KEY-1", Alphanumeric, 58),
    ("ops_eyJ", Base64, 100),
    ("A3-", Word, 30),
    ("tskey-", Word, 20),
    // Data and monitoring.
    ("dt0c01.", Dotted, 60),
    ("dt0s01.", Dotted, 60),
    ("glc_", Base64, 32),
    ("glsa_", Word, 40),
    ("eyJrIjoi", Base64, 60),
    ("NRAK-", Alphanumeric, 27),
    ("NRJS-", Hex, 19),
    ("NRII-", Word, 32),
    ("sntrys_", Base64, 60),
    ("sntryu_", Hex, 64),
    ("pscale_tkn_", Dotted, 32),
    ("pscale_oauth_", Dotted, 32),
    ("pscale_pw_", Dotted, 32),
    ("4b1d", Alphanumeric, 38),
    ("squ_", Hex, 40),
    ("sqp_", Hex, 40),
    ("sqa_", Hex, 40),
    ("sgp_", Word, 40),
    ("lin_api_", Alphanumeric, 40),
    ("ntn_", Alphanumeric, 40),
    ("secret_", Alphanumeric, 43),
    ("PMAK-", Word, 50),
    ("API-", Alphanumeric, 26),
    ("rdme_", Alphanumeric, 60),
    ("ico-", Alphanumeric, 32),
    // Messages and mail.
    ("xoxb-", Word, 20),
    ("xoxp-", Word, 20),
    ("xoxa-", Word, 20),
    ("xoxr-", Word, 20),
    ("xoxo-", Word, 20),
    ("xoxs-", Word, 20),
    ("xoxe-", Word, 20),
    ("xoxe.xoxp-", Word, 20),
    ("xoxe.xoxb-", Word, 20),
    ("xapp-", Word, 20),
    ("hooks.slack.com/services/", Base64, 30),
    ("hooks.slack.com/workflows/", Base64, 30),
    ("discord.com/api/webhooks/", Base64, 60),
    (".webhook.office.com/webhookb2/", Base64, 30),
    ("SG.", Dotted, 40),
    ("SK", Hex, 32),
    ("key-", Hex, 32),
    ("xkeysib-", Word, 64),
    ("xsmtpsib-", Word, 64),
    // Payment and shops.
    ("sk_live_", Alphanumeric, 10),
    ("sk_test_", Alphanumeric, 10),
    ("sk_prod_", Alphanumeric, 10),
    ("rk_live_", Alphanumeric, 10),
    ("rk_test_", Alphanumeric, 10),
    ("rk_prod_", Alphanumeric, 10),
    ("whsec_", Base64, 24),
    ("sq0atp-", Word, 22),
    ("sq0csp-", Word, 40),
    ("EAAA", Word, 50),
    ("EZAK", Alphanumeric, 54),
    ("EZTK", Alphanumeric, 54),
    ("FLWSECK_TEST-", Word, 12),
    ("FLWSECK-", Word, 12),
    ("shpat_", Hex, 32),
    ("shpca_", Hex, 32),
    ("shppa_", Hex, 32),
    ("shpss_", Hex, 32),
    ("shippo_live_", Hex, 40),
    ("shippo_test_", Hex, 40),
    ("duffel_live_", Base64, 43),
    ("duffel_test_", Base64, 43),
    // Models.
    ("sk-ant-", Word, 40),
    ("sk-proj-", Word, 40),
    ("sk-svcacct-", Word, 40),
    ("sk-admin-", Word, 40),
    ("sk-", Alphanumeric, 40),
    ("hf_", Alphanumeric, 34),
    ("api_org_", Alphanumeric, 34),
    ("pplx-", Alphanumeric, 48),
    ("r8_", Alphanumeric, 37),
    // Everything else.
    ("p8e-", Alphanumeric, 32),
    ("EAAC", Alphanumeric, 100),
    ("EAAM", Alphanumeric, 100),
    ("fio-u-", Base64, 64),
    ("s-s4t2ud-", Hex, 64),
    ("s-s4t2af-", Hex, 64),
    ("tk-us-", Word, 48),
    ("tfp_", Dotted, 40),
    ("sm_aat_", Alphanumeric, 16),
    ("sm_pat_", Alphanumeric, 16),
    ("sm_sat_", Alphanumeric, 16),
    ("dnkey-", Base64, 60),
    ("sk.eyJ", Dotted, 40),
    // A private key in Base64: `-----BEGIN ` and a word of it.
    ("LS0tLS1CRUdJTiB", Base64, 20),
    ("PuTTY-User-Key-File-", Dotted, 1),
];

/// As much of a token as its rule looks at; more than the least of any.
const ENOUGH: usize = 256;

/// Every mark, a longer one before one that it begins with.
static MARK: LazyLock<Regex> = LazyLock::new(|| {
    let mut marks: Vec<&str> = MARKS.iter().map(|(mark, ..)| *mark).collect();
    marks.sort_by_key(|mark| std::cmp::Reverse(mark.len()));
    pattern(&marks.into_iter().map(regex::escape).collect::<Vec<_>>().join("|"))
});

/// What needs more than a mark: Azure's client secrets, Vault's old tokens, and the tokens of Telegram, Harness, Airtable, MaxMind and
/// Facebook.
static STRUCTURED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}",
        r"|s\.[A-Za-z0-9]{24}",
        r"|[0-9]{8,10}:AA[A-Za-z0-9_-]{33}",
        r"|[ps]at\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{20}",
        r"|pat[A-Za-z0-9]{14}\.[a-f0-9]{64}",
        r"|[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk",
        r"|[0-9]{15,16}\|[0-9A-Za-z_-]{27,40}",
    ))
});

/// The tokens in a text.
pub(super) fn find(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let bytes = text.as_bytes();
    let begins = |start: usize| start == 0 || !bytes[start - 1].is_ascii_alphanumeric();
    let mut done = 0;
    let marked = MARK.find_iter(text).filter_map(move |mark| {
        let (_, alphabet, least) = MARKS.iter().find(|(text, ..)| *text == mark.as_str())?;
        if mark.start() < done || (!begins(mark.start()) && mark.as_str().as_bytes()[0].is_ascii_alphanumeric()) {
            return None;
        }
        // Whether it is a token is seen at its beginning; so marks that follow each other cost no more than that.
        let run = |most| {
            bytes[mark.end()..]
                .iter()
                .take(most)
                .take_while(|byte| alphabet.has(**byte))
                .count()
        };
        let seen = run(ENOUGH);
        if seen < *least || (*least > 1 && !is_varied(&text[mark.end()..mark.end() + seen])) {
            return None;
        }
        let end = mark.end() + if seen == ENOUGH { run(usize::MAX) } else { seen };
        let is_whole = bytes.get(end).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        // A mark may be of hexadecimal digits, and so begin a digest; a token of letters and digits has other letters too.
        let is_digest = bytes[mark.start()..end].iter().all(u8::is_ascii_hexdigit);
        (is_whole && !is_digest).then(|| {
            done = end;
            mark.start()..end
        })
    });
    let structured = STRUCTURED.find_iter(text).filter(move |hit| {
        let ends = bytes.get(hit.end()).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        let has_digit = hit.as_str().bytes().any(|byte| byte.is_ascii_digit());
        begins(hit.start()) && ends && has_digit && is_varied(hit.as_str())
    });
    marked.chain(structured.map(|hit| hit.range()))
}

/// Neither a mask (`xxxxxxxx`) nor words: what vendors draw has digits or capitals inside.
fn is_varied(token: &str) -> bool {
    let mut distinct = [false; 256];
    token.bytes().for_each(|byte| distinct[usize::from(byte)] = true);
    looks_random(token) && distinct.iter().filter(|is_there| **is_there).count() >= 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_compile_and_no_mark_stands_twice() {
        assert!(!MARK.is_match("") && !STRUCTURED.is_match(""));
        let mut marks: Vec<&str> = MARKS.iter().map(|(mark, ..)| *mark).collect();
        marks.sort_unstable();
        let count = marks.len();
        marks.dedup();
        assert_eq!(marks.len(), count);
    }

    /// One digest of 65,536 begins with the mark `4b1d`: evidence is full of digests.
    #[test]
    fn no_digest_is_a_token() {
        let rest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f0";
        for start in 0..=u16::MAX {
            let digest = format!("{start:04x}{rest}");
            assert_eq!(find(&digest).count(), 0, "{digest}");
            assert_eq!(find(&digest[..40]).count(), 0, "{digest}");
        }
        assert_eq!(find("4b1dq0Zr8KxW3mT7yLpB5nVc2HsDf9GjE4uAoRiQ6t").count(), 1);
    }
}
