//! AWS clients with the user's own settings.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use crate::exit::CliError;

/// Loads the user's own AWS settings. `what` names the option that needs them.
///
/// # Errors
/// Returns [`CliError::Usage`] if no region is set.
pub async fn sdk_config(what: &str) -> Result<SdkConfig, CliError> {
    let https = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(https)
        .load()
        .await;
    if config.region().is_none() {
        return Err(CliError::usage(format!(
            "{what}: no region is set; set AWS_REGION, or a region in your AWS profile"
        )));
    }
    Ok(config)
}
