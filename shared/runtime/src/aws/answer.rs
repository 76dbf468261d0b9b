//! Error answers of AWS, judged by their code.
//!
//! The HTTP status decides nothing: `ExpiredToken`, `RequestTimeout` and a disabled KMS key are 400, as an unknown version id
//! is; a clock that is wrong is 403, as a missing permission is. Three rules:
//!
//! 1. A code that is listed for a call is what the list says. Only such a code may become a verdict.
//! 2. Every other code is transient: a fault, which is retried and can be redriven.
//! 3. An answer without a code is transient too, and so is no answer at all. S3 sends no code to a HEAD, and no verdict
//!    rests on a HEAD. A redirect, a page of HTML or an empty 404 comes from something before the service; the SDK gives an
//!    empty 404 the code `NotFound`, which is not listed.
//!
//! The list is held against recorded answers of AWS by the tests of this module.

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
    /// S3 `ListObjectsV2`, `ListObjectVersions`, `GetBucketVersioning`.
    AskBucket,
    /// S3 `GetObjectLockConfiguration`.
    AskObjectLock,
    /// Step Functions `DescribeStateMachine`.
    DescribeMachine,
    /// Step Functions `DescribeExecution`.
    DescribeExecution,
    /// Cost Explorer `GetCostAndUsage`.
    AskCost,
    /// KMS `GetPublicKey`, `Sign`.
    UseKey,
    /// CloudFormation `DescribeStacks` of one stack.
    DescribeStack,
}

/// What an error answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// What was named is not there.
    NotThere,
    /// The bucket that was named is not there.
    NoBucket,
    /// The service knows who asks, and does not permit it.
    Denied,
    /// The key that was to be created is taken.
    Exists,
    /// Another write to the key is under way.
    Conflict,
    /// A refusal that no retry changes.
    Refused,
    /// Nothing was learned of what was named: a fault.
    Transient(Cause),
}

/// Why nothing was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The service does not accept the credentials, the signature or the clock that it was made with.
    Credentials,
    /// The bucket lies in another region than the client's.
    Region,
    /// The KMS key that protects the object cannot be used.
    Key,
    /// The service is slow, throttles or fails, or gives a code that is not listed.
    Service,
    /// There was no answer, or one without a code.
    NoCode,
}

impl Answer {
    /// What `error` says as the answer to `call`.
    pub fn of<E: ProvideErrorMetadata>(call: Call, error: &SdkError<E, Response>) -> Self {
        let code = match error {
            SdkError::ServiceError(answer) => answer.err().code(),
            _ => None,
        };
        Self::to(call, code)
    }

    /// What an error answer with this code says to `call`.
    #[must_use]
    pub fn to(call: Call, code: Option<&str>) -> Self {
        let Some(code) = code else {
            return Answer::Transient(Cause::NoCode);
        };
        let listed = match call {
            Call::ReadObject => read(code),
            Call::ReadVersion => read(code).or(match code {
                // `InvalidArgument`: the version id is the one argument that S3 can find invalid in a read.
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
            Call::DescribeMachine => match code {
                "StateMachineDoesNotExist" | "InvalidArn" => Some(Answer::NotThere),
                "AccessDeniedException" | "KmsAccessDeniedException" => Some(Answer::Denied),
                _ => None,
            },
            // Not `InvalidArn`: whether the execution has ended is then not known.
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
            // CloudFormation has no code of its own for a stack that is not there; a name that no stack can have gets the same.
            Call::DescribeStack => match code {
                "ValidationError" => Some(Answer::NotThere),
                "AccessDenied" => Some(Answer::Denied),
                _ => None,
            },
        };
        listed.unwrap_or_else(|| Answer::Transient(cause(code)))
    }
}

/// What S3 says of an object.
fn read(code: &str) -> Option<Answer> {
    match code {
        "NoSuchKey" => Some(Answer::NotThere),
        _ => bucket(code),
    }
}

/// What S3 says of a bucket.
fn bucket(code: &str) -> Option<Answer> {
    match code {
        "NoSuchBucket" | "InvalidBucketName" => Some(Answer::NoBucket),
        "AccessDenied" | "AllAccessDisabled" => Some(Answer::Denied),
        _ => None,
    }
}

/// Why an answer with a code that is not listed for its call says nothing of what was named.
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

/// An error in words: status and code where the service answered, else what went wrong on the way.
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
