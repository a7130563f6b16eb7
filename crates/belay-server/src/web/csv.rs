//! Tables for spreadsheets (RFC 4180). A cell is data: one that a spreadsheet would take for a formula is written so that it
//! does not.

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};

/// A text as a cell.
pub fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let plain = !formula && !text.contains(['"', ',', '\n', '\r']) && !text.chars().any(belay_core::explain::inert::is_hostile);
    if plain {
        return text.to_owned();
    }
    let mark = if formula { "'" } else { "" };
    format!("\"{mark}{}\"", belay_core::explain::inert::inert(text).replace('"', "\"\""))
}

/// A table as it is sent: to be kept, not shown.
pub fn table(text: String, name: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')).collect();
    let kept = HeaderValue::from_str(&format!("attachment; filename=\"belay-{name}.csv\""));
    response.headers_mut().insert(header::CONTENT_DISPOSITION, kept.unwrap_or(HeaderValue::from_static("attachment")));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula_and_never_ends_early() {
        for (text, written) in [
            ("web01", "web01"),
            ("=cmd|' /C calc'!A0", "\"'=cmd|' /C calc'!A0\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@a", "\"'@a\""),
            ("a,\"b\"", "\"a,\"\"b\"\"\""),
            ("a\nb\u{202e}", "\"a\\nb\\u{202e}\""),
        ] {
            assert_eq!(cell(text), written);
        }
    }
}
