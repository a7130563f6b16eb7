//! What pages load: one stylesheet, one script, one picture. Their names hold a hash of what they are, so browsers
//! keep them for good and never keep an old one.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use belay_core::model::ids::Digest;

use crate::http::refusal::Refusal;
use crate::http::route::Call;

const STYLE: &str = include_str!("../../assets/belay.css");
const SCRIPT: &str = include_str!("../../assets/belay.js");
/// A catch on a rope, in one colour that both themes can bear.
const ICON: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\"><path d=\"M16 2v9\" stroke=\"#7a8794\" stroke-width=\"4\"/>\
    <circle cx=\"16\" cy=\"19\" r=\"9\" fill=\"none\" stroke=\"#1f7a55\" stroke-width=\"5\"/><path d=\"M12 19l3 3 6-6\" fill=\"none\" \
    stroke=\"#1f7a55\" stroke-width=\"3\"/></svg>";

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    path: &'static str,
    text: &'static str,
    media: &'static str,
}

impl Asset {
    /// Where it is.
    pub const fn path(self) -> &'static str {
        self.path
    }
}

/// The stylesheet.
pub const CSS: Asset = Asset { path: "/assets/{hash}/belay.css", text: STYLE, media: "text/css; charset=utf-8" };
/// The script.
pub const JS: Asset = Asset { path: "/assets/{hash}/belay.js", text: SCRIPT, media: "text/javascript; charset=utf-8" };
/// The icon.
pub const SVG: Asset = Asset { path: "/assets/{hash}/belay.svg", text: ICON, media: "image/svg+xml" };

/// Their hash, which stands in addresses.
pub static HASH: LazyLock<String> = LazyLock::new(|| Digest::of_parts([STYLE, SCRIPT, ICON]).to_string().chars().take(12).collect());

/// Gives one. An address with another hash is that of an older or newer Belay: it gets what there is, and must not
/// keep it.
pub async fn give(call: Call, asset: Asset) -> Result<Response<Body>, Refusal> {
    let kept = if call.param("hash") == HASH.as_str() { "public, max-age=31536000, immutable" } else { "no-store" };
    let mut response = Response::new(Body::from(asset.text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.media));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    Ok(response)
}
