//! Judges AWS's error answers by their code.
//!
//! The HTTP status decides nothing. `ExpiredToken`, `RequestTimeout` and a disabled KMS key have the status 400, as an unknown
//! version id has. A wrong clock has 403, as a missing permission has. There are three rules:
//!
//! 1. A code that is listed for a call has the listed meaning. Only such a code may become a verdict.
//! 2. Every other code is transient. It is a fault, which is retried and can be redriven.
//! 3. An answer without a code is transient too, and so is a missing answer. S3 sends no code to a HEAD, and no verdict rests on
//!    a HEAD. A redirect, an HTML page or an empty 404 comes from something in front of the service. The SDK gives an empty 404
//!    the code `NotFound`, which is not listed.
//!
//! The tests of this module check the list against recorded answers of AWS.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A call whose error answers are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// S3 `GetObject` of the latest version.
    ReadObject,
    /// S3 `GetObject` of one version, by its id.
    ReadVersion,
    /// S3 `PutObject` with `If-None-Match: *`.
    CreateObject,
    /// S3 `ListObjectsV2`, `ListObjectVersions`, `GetBucketVersioning`, `GetBucketNotificationConfiguration`.
    AskBucket,
    /// S3 `GetObjectLockConfiguration`.
    AskObjectLock,
    /// S3 `GetBucketPolicy`.
    AskPolicy,
    /// S3 `GetBucketEncryption`.
    AskEncryption,
    /// S3 `GetPublicAccessBlock`.
    AskPublicAccess,
    /// Step Functions `DescribeStateMachine`.
    DescribeMachine,
    /// Step Functions `DescribeStateMachineAlias`.
    DescribeAlias,
    /// Step Functions `DescribeExecution`.
    DescribeExecution,
    /// Cost Explorer `GetCostAndUsage`.
    AskCost,
    /// KMS `GetPublicKey`, `Sign`.
    UseKey,
    /// CloudFormation `DescribeStacks` of one stack.
    DescribeStack,
}

/// The meaning of an error answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The named object, machine, execution, key or stack does not exist.
    NotThere,
    /// The named bucket does not exist.
    NoBucket,
    /// The service knows the caller and does not permit the call.
    Denied,
    /// The key exists already.
    Exists,
    /// Another write to the key is in progress.
    Conflict,
    /// A refusal that no retry changes.
    Refused,
    /// The answer says nothing about the named object. It is a fault.
    Transient(Cause),
}

/// Why the answer says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The service does not accept the credentials, the signature, or the clock behind the signature.
    Credentials,
    /// The bucket is in another region than the client.
    Region,
    /// The KMS key that protects the object cannot be used.
    Key,
    /// The service is slow, throttles or fails, or returns a code that is not listed.
    Service,
    /// There was no answer, or the answer has no code.
    NoCode,
}

impl Answer {
    /// The meaning of `error` as the answer to `call`.
    pub fn of<E: ProvideErrorMetadata>(call: Call, error: &SdkError<E, Response>) -> Self {
        let code = match error {
            SdkError::ServiceError(answer) => answer.err().code(),
            _ => None,
        };
        Self::to(call, code)
    }

    /// The meaning of an error answer with this code to `call`.
    #[must_use]
    pub fn to(call: Call, code: Option<&str>) -> Self {
        let Some(code) = code else {
            return Answer::Transient(Cause::NoCode);
        };
        let listed = match call {
            Call::ReadObject => read(code),
            Call::ReadVersion => read(code).or(match code {
                // `InvalidArgument`: in a read, the version id is the only argument that S3 can find invalid.
                // `MethodNotAllowed`: the version is a delete marker.
                "NoSuchVersion" | "InvalidArgument" | "MethodNotAllowed" => Some(Answer::NotThere),
                _ => None,
            }),
            Call::CreateObject => bucket(code).or(match code {
                "PreconditionFailed" => Some(Answer::Exists),
                "ConditionalRequestConflict" => Some(Answer::Conflict),
                _ => None,
            }),
            Call::AskBucket => bucket(code),
            Call::AskObjectLock => bucket(code).or(match code {
                "ObjectLockConfigurationNotFoundError" => Some(Answer::NotThere),
                _ => None,
            }),
            Call::AskPolicy => bucket(code).or((code == "NoSuchBucketPolicy").then_some(Answer::NotThere)),
            Call::AskEncryption => {
                bucket(code).or((code == "ServerSideEncryptionConfigurationNotFoundError").then_some(Answer::NotThere))
            }
            Call::AskPublicAccess => {
                bucket(code).or((code == "NoSuchPublicAccessBlockConfiguration").then_some(Answer::NotThere))
            }
            Call::DescribeMachine => match code {
                "StateMachineDoesNotExist" | "InvalidArn" => Some(Answer::NotThere),
                "AccessDeniedException" | "KmsAccessDeniedException" => Some(Answer::Denied),
                _ => None,
            },
            Call::DescribeAlias => match code {
                "ResourceNotFound" => Some(Answer::NotThere),
                "AccessDeniedException" => Some(Answer::Denied),
                _ => None,
            },
            // `InvalidArn` is not listed, because it does not show whether the execution has ended.
            Call::DescribeExecution => match code {
                "ExecutionDoesNotExist" => Some(Answer::NotThere),
                "AccessDeniedException" | "KmsAccessDeniedException" => Some(Answer::Denied),
                _ => None,
            },
            Call::AskCost => match code {
                "AccessDeniedException" => Some(Answer::Denied),
                "BillExpirationException" | "DataUnavailableException" | "ValidationException" => Some(Answer::Refused),
                _ => None,
            },
            Call::UseKey => match code {
                "AccessDeniedException" => Some(Answer::Denied),
                "NotFoundException" => Some(Answer::NotThere),
                "DisabledException"
                | "InvalidArnException"
                | "InvalidKeyUsageException"
                | "KMSInvalidStateException"
                | "UnsupportedOperationException"
                | "ValidationException" => Some(Answer::Refused),
                _ => None,
            },
            // CloudFormation has no separate code for a missing stack. An impossible stack name gets the same code.
            Call::DescribeStack => match code {
                "ValidationError" => Some(Answer::NotThere),
                "AccessDenied" => Some(Answer::Denied),
                _ => None,
            },
        };
        listed.unwrap_or_else(|| Answer::Transient(cause(code)))
    }
}

/// What S3's code says about an object.
fn read(code: &str) -> Option<Answer> {
    match code {
        "NoSuchKey" => Some(Answer::NotThere),
        _ => bucket(code),
    }
}

/// What S3's code says about a bucket.
fn bucket(code: &str) -> Option<Answer> {
    match code {
        "NoSuchBucket" | "InvalidBucketName" => Some(Answer::NoBucket),
        "AccessDenied" | "AllAccessDisabled" => Some(Answer::Denied),
        _ => None,
    }
}

/// Why a code that is not listed for its call says nothing.
fn cause(code: &str) -> Cause {
    match code {
        "ExpiredToken"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidSecurity"
        | "InvalidSignatureException"
        | "InvalidToken"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "SignatureDoesNotMatch"
        | "TokenRefreshRequired"
        | "UnrecognizedClientException" => Cause::Credentials,
        "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" | "PermanentRedirect" => Cause::Region,
        "KmsInvalidStateException" => Cause::Key,
        _ if code.starts_with("KMS.") => Cause::Key,
        _ => Cause::Service,
    }
}

/// An error in words: status and code if the service answered, otherwise what went wrong on the way.
pub fn words<E: ProvideErrorMetadata>(error: &SdkError<E, Response>) -> String {
    match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            match answer.err().code() {
                Some(code) => format!("{status} {code}"),
                None => format!("status {status}"),
            }
        }
        SdkError::TimeoutError(_) => "timed out".to_owned(),
        SdkError::DispatchFailure(_) => "the connection failed".to_owned(),
        SdkError::ConstructionFailure(_) => "the request could not be made".to_owned(),
        _ => "no usable answer".to_owned(),
    }
}
