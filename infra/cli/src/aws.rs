//! AWS clients with the user's own settings.

use aws_config::{BehaviorVersion, SdkConfig};
use p1_runtime::patience::{self, Patience};

use crate::exit::CliError;

/// Loads the user's own AWS settings. `what` names the option that needs them.
///
/// # Errors
/// Returns [`CliError::Usage`] if no region is set.
pub async fn sdk_config(what: &str) -> Result<SdkConfig, CliError> {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(patience::https())
        .timeout_config(Patience::TOOL.timeouts())
        .retry_config(Patience::TOOL.retries())
        .load()
        .await;
    if config.region().is_none() {
        return Err(CliError::usage(format!(
            "{what}: no region is set; set AWS_REGION, or a region in your AWS profile"
        )));
    }
    Ok(config)
}
