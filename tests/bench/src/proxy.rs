//! What a proxy between a step and S3 does with a request that it lets through.
//!
//! Requests are signed for the proxy's own address; the local engine does not check signatures.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

use crate::http::{Body, Broken, full};

/// The server behind a proxy.
#[derive(Debug, Clone)]
pub struct Upstream {
    client: Client<HttpConnector, Full<Bytes>>,
    authority: String,
}

impl Upstream {
    /// The server at `endpoint`, for example `http://127.0.0.1:4566`.
    #[must_use]
    pub fn new(endpoint: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Upstream {
            client: Client::builder(TokioExecutor::new()).build(connector),
            authority: endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned(),
        }
    }

    /// Hands a request on, and its whole answer back.
    ///
    /// # Errors
    /// When either side gives up the connection.
    pub async fn pass(&self, request: Request<Incoming>) -> Result<Response<Body>, Broken> {
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = Uri::builder()
            .scheme("http")
            .authority(self.authority.as_str())
            .path_and_query(path)
            .build()
            .map_err(|_| Broken)?;
        head.headers.remove("host");
        let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
        let request = Request::from_parts(head, Full::new(body));
        let (head, body) = self.client.request(request).await.map_err(|_| Broken)?.into_parts();
        let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
        Ok(Response::from_parts(head, full(body)))
    }
}
