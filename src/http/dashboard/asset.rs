//! One file of the page as an answer.

use std::fmt::Write;

use actix_web::http::header::{self, EntityTag, Header, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse};
use sha2::{Digest, Sha256};

use super::POLICY;

/// So many bytes of the hash tell two versions of a file apart.
const TAG_BYTES: usize = 16;

/// One file of the page.
#[derive(Clone, Debug)]
pub(super) struct Asset {
    text: &'static str,
    media_type: &'static str,
    tag: EntityTag,
}

impl Asset {
    /// The file of this name with this text.
    pub(super) fn new(name: &str, text: &'static str) -> Self {
        let hash = Sha256::digest(text.as_bytes());
        let mut tag = String::new();
        for byte in hash.iter().take(TAG_BYTES) {
            // Writing to a String cannot fail.
            let _ = write!(tag, "{byte:02x}");
        }
        Self { text, media_type: media_type(name), tag: EntityTag::new_strong(tag) }
    }

    /// The file, or that the browser has it already: it asks every time, so that a new version of the program is seen.
    pub(super) fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let known = match IfNoneMatch::parse(request) {
            Ok(IfNoneMatch::Any) => true,
            Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&self.tag)),
            Err(_) => false,
        };
        let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header(header::ETag(self.tag.clone()))
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((header::REFERRER_POLICY, "no-referrer"));
        if known {
            return response.finish();
        }
        response.insert_header((header::CONTENT_TYPE, self.media_type)).body(self.text)
    }
}

/// The media type by the end of a name.
fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}
