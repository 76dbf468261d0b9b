//! ARNs of Step Functions.

use crate::parse_error::{ParseError, text_conversions, text_newtype};

text_newtype! {
    /// The ARN of an execution of a Standard state machine.
    ExecutionArn,
    what = "an execution ARN",
    pattern = "^arn:aws[-a-z]*:states:[a-z0-9-]+:[0-9]{12}:execution:[^:]{1,80}:[^:]{1,80}$",
    expected = "arn:aws:states:<region>:<account>:execution:<state machine>:<name>",
    check = is_execution_arn
}

impl ExecutionArn {
    /// `aws`, `aws-cn` …
    pub fn partition(&self) -> &str {
        field(&self.0, 1)
    }

    /// `eu-west-2`.
    pub fn region(&self) -> &str {
        field(&self.0, 3)
    }

    /// The account, 12 digits.
    pub fn account(&self) -> &str {
        field(&self.0, 4)
    }

    /// The name of the state machine.
    pub fn state_machine(&self) -> &str {
        field(&self.0, 6)
    }

    /// The name of the execution.
    pub fn name(&self) -> &str {
        field(&self.0, 7)
    }

    /// Whether `other` is an execution of the same state machine, in the same account and region.
    pub fn is_of_the_same_machine(&self, other: &Self) -> bool {
        let machine = |arn: &Self| arn.0.rsplit_once(':').map(|(machine, _)| machine.to_owned());
        machine(self) == machine(other)
    }
}

/// The ARN of a state machine itself, never of one of its versions or aliases: parsing strips those qualifiers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StateMachineArn(String);

impl StateMachineArn {
    /// Parses the ARN of a state machine, of a version of it (`…:stateMachine:name:3`) or of an alias (`…:name:live`).
    ///
    /// # Errors
    /// When the text is none of these.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let fields: Vec<&str> = text.splitn(9, ':').collect();
        let is_good = match fields.as_slice() {
            [start @ .., name] if start.len() == 6 => is_states_arn(start, "stateMachine") && is_name(name),
            [start @ .., name, qualifier] if start.len() == 6 => {
                is_states_arn(start, "stateMachine") && is_name(name) && is_name(qualifier)
            }
            _ => false,
        };
        if is_good {
            Ok(Self(fields[..7].join(":")))
        } else {
            Err(ParseError::new(
                "a state machine ARN",
                text,
                "arn:aws:states:<region>:<account>:stateMachine:<name>",
            ))
        }
    }

    /// The ARN of the state machine with this name in that region and account.
    ///
    /// # Errors
    /// When one of the parts cannot be part of such an ARN.
    pub fn for_name(region: &str, account: &str, name: &str, partition: &str) -> Result<Self, ParseError> {
        if !is_name(name) {
            return Err(ParseError::new(
                "a state machine name",
                name,
                "1 to 80 characters without white space and wildcards",
            ));
        }
        Self::parse(&format!(
            "arn:{partition}:states:{region}:{account}:stateMachine:{name}"
        ))
    }

    /// The text without qualifier.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `aws`, `aws-cn` …
    pub fn partition(&self) -> &str {
        field(&self.0, 1)
    }

    /// `eu-west-2`.
    pub fn region(&self) -> &str {
        field(&self.0, 3)
    }

    /// The account, 12 digits.
    pub fn account(&self) -> &str {
        field(&self.0, 4)
    }

    /// The name of the state machine.
    pub fn name(&self) -> &str {
        field(&self.0, 6)
    }
}

impl AsRef<str> for StateMachineArn {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for StateMachineArn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

text_conversions!(
    StateMachineArn,
    pattern = "^arn:aws[-a-z]*:states:[a-z0-9-]+:[0-9]{12}:stateMachine:[^:]{1,80}(:[^:]{1,80})?$"
);

fn field(arn: &str, index: usize) -> &str {
    arn.split(':').nth(index).unwrap_or_default()
}

fn is_execution_arn(text: &str) -> bool {
    let fields: Vec<&str> = text.splitn(9, ':').collect();
    let [start @ .., machine, name] = fields.as_slice() else {
        return false;
    };
    start.len() == 6 && is_states_arn(start, "execution") && is_name(machine) && is_name(name)
}

/// `arn`, partition, `states`, region, account and the kind of resource.
fn is_states_arn(start: &[&str], kind: &str) -> bool {
    let ["arn", partition, "states", region, account, found] = start else {
        return false;
    };
    let is_region = !region.is_empty()
        && region
            .bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_lowercase() || byte.is_ascii_digit());
    is_partition(partition) && is_region && is_account(account) && *found == kind
}

/// `aws`, `aws-cn` …
pub(super) fn is_partition(text: &str) -> bool {
    text.strip_prefix("aws")
        .is_some_and(|rest| rest.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase()))
}

/// 12 digits.
pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What Step Functions accepts as the name of a state machine or an execution.
fn is_name(text: &str) -> bool {
    let is_banned = |c: char| c.is_whitespace() || c.is_control() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(c);
    (1..=80).contains(&text.chars().count()) && !text.chars().any(is_banned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn execution_arns() {
        let arn =
            ExecutionArn::parse("arn:aws-cn:states:cn-north-1:123456789012:execution:machine-v0:4f1c_a.b").unwrap();
        let place = [arn.partition(), arn.region(), arn.account()];
        assert_eq!(place, ["aws-cn", "cn-north-1", "123456789012"]);
        assert_eq!((arn.state_machine(), arn.name()), ("machine-v0", "4f1c_a.b"));
        for bad in [
            "",
            "arn:aws:states:eu-west-2:123456789012:stateMachine:m",
            "arn:aws:states:eu-west-2:123456789012:execution:m",
            "arn:aws:states:eu-west-2:12345678901:execution:m:n",
            "arn:aws:states::123456789012:execution:m:n",
            "arn:aws:states:eu-west-2:123456789012:execution:m:n:o",
            "arn:aws:states:eu-west-2:123456789012:execution:m:n o",
            "arn:xws:states:eu-west-2:123456789012:execution:m:n",
            "arn:aws:lambda:eu-west-2:123456789012:execution:m:n",
        ] {
            assert!(ExecutionArn::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn state_machine_arns_lose_their_qualifier() {
        let plain = "arn:aws:states:eu-west-2:123456789012:stateMachine:machine-v0";
        for text in [plain.to_owned(), format!("{plain}:3"), format!("{plain}:live")] {
            let arn = StateMachineArn::parse(&text).unwrap();
            assert_eq!(arn.as_str(), plain);
            let parts = [arn.name(), arn.region(), arn.account(), arn.partition()];
            assert_eq!(parts, ["machine-v0", "eu-west-2", "123456789012", "aws"]);
            let read: StateMachineArn = serde_json::from_value(serde_json::json!(text)).unwrap();
            assert_eq!(read, arn);
        }
        let named = |name: &str| StateMachineArn::for_name("eu-west-2", "123456789012", name, "aws");
        assert_eq!(named("machine-v0").unwrap().as_str(), plain);
        for name in ["", "a:b", "a b", "a*", &"n".repeat(81)] {
            assert!(named(name).is_err(), "{name}");
        }
        for bad in [
            format!("{plain}:3:4"),
            format!("{plain}:"),
            "machine-v0".into(),
            plain.replace("stateMachine", "express"),
        ] {
            assert!(StateMachineArn::parse(&bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>(), tail in "[a-z:*0-9]{0,30}") {
            let _ = (ExecutionArn::parse(&text), StateMachineArn::parse(&text));
            let _ = StateMachineArn::parse(&format!("arn:aws:states:eu-west-2:123456789012:stateMachine:{tail}"));
            let _ = ExecutionArn::parse(&format!("arn:aws:states:eu-west-2:123456789012:execution:{tail}"));
        }
    }
}
