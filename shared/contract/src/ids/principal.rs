//! ARNs of IAM principals.

use super::arn::{is_account, is_partition};
use crate::parse_error::text_newtype;

text_newtype! {
    /// The ARN of an IAM role or user: somebody who may be given permissions, unlike a session, a group or a whole account.
    IamPrincipalArn,
    what = "the ARN of an IAM role or user",
    pattern = "^arn:aws[-a-z]*:iam::[0-9]{12}:(role|user)/[A-Za-z0-9_+=,.@/-]{1,576}$",
    expected = "arn:aws:iam::<account>:role/<name> or arn:aws:iam::<account>:user/<name>",
    check = is_principal_arn
}

impl IamPrincipalArn {
    /// `aws`, `aws-cn` …
    pub fn partition(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }

    /// The account, 12 digits.
    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or_default()
    }
}

/// A path of at most 512 characters and a name of at most 64.
const MAX_NAME: usize = 512 + 64;

fn is_principal_arn(text: &str) -> bool {
    let fields: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = fields.as_slice() else {
        return false;
    };
    let name = resource
        .strip_prefix("role/")
        .or_else(|| resource.strip_prefix("user/"))
        .unwrap_or_default();
    let is_part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
    };
    is_partition(partition) && is_account(account) && name.len() <= MAX_NAME && name.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_and_users_are_principals() {
        for (text, account) in [
            ("arn:aws:iam::123456789012:role/sample-apply", "123456789012"),
            ("arn:aws:iam::123456789012:user/fraud-dev", "123456789012"),
            (
                "arn:aws-us-gov:iam::210987654321:role/aws-reserved/sso/x_y+z=a,b.c@d",
                "210987654321",
            ),
        ] {
            assert_eq!(IamPrincipalArn::parse(text).unwrap().account(), account, "{text}");
        }
    }

    #[test]
    fn all_else_is_none() {
        for text in [
            "",
            "sample-apply",
            "role/sample-apply",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/a/",
            "arn:aws:iam::123456789012:role//a",
            "arn:aws:iam::123456789012:role/*",
            "arn:aws:iam::123456789012:role/a b",
            "arn:aws:iam::123456789012:role/a:b",
            "arn:aws:iam::123456789012:root",
            "arn:aws:iam::123456789012:group/admins",
            "arn:aws:iam::123456789012:policy/apply",
            "arn:aws:iam::aws:policy/AdministratorAccess",
            "arn:aws:iam:eu-west-2:123456789012:role/a",
            "arn:aws:iam::12345678901:role/a",
            "arn:aws:sts::123456789012:assumed-role/a/session",
            "arn:aws:s3:::bucket",
            "arn:xws:iam::123456789012:role/a",
            " arn:aws:iam::123456789012:role/a",
            &format!("arn:aws:iam::123456789012:role/{}", "a".repeat(577)),
        ] {
            let error = IamPrincipalArn::parse(text).unwrap_err().to_string();
            assert!(error.contains("is not the ARN of an IAM role or user"), "{error}");
        }
    }
}
