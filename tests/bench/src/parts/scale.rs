use crate::error::BenchError;
use crate::report::Section;
use crate::setup::Setup;
pub(super) async fn measure(_setup: &Setup<'_>) -> Result<Section, BenchError> {
    Err(BenchError::Usage("not yet".to_owned()))
}
