//! Bodies: read while they stream, up to a cap, until a deadline, and within what memory all
//! requests together may use.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use flate2::bufread::MultiGzDecoder;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::Refusal;

/// What is inflated at once; anything larger is counted first, so that a bomb never gets memory.
const PROBE: usize = 8 << 20;
const KIB: usize = 1 << 10;

/// Bounds of what is read from senders.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    /// Bytes of a report, as sent.
    pub report: usize,
    /// Bytes of a report, inflated.
    pub inflated: usize,
    /// Bytes of samples, as sent.
    pub samples: usize,
    /// Bytes of any other body.
    pub json: usize,
    /// How long a body may take.
    pub deadline: Duration,
    /// Bytes of all bodies together.
    pub together: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            report: 32 << 20,
            inflated: 128 << 20,
            samples: 16 << 20,
            json: 1 << 20,
            deadline: Duration::from_secs(30),
            together: 384 << 20,
        }
    }
}

/// Reads bodies within the caps.
#[derive(Clone)]
pub struct Bodies {
    /// The caps.
    pub caps: Caps,
    memory: Arc<Semaphore>,
    threads: Arc<Semaphore>,
}

/// A body in memory, with its share of what all may use.
pub struct Held {
    /// The bytes.
    pub bytes: Bytes,
    share: OwnedSemaphorePermit,
}

impl Bodies {
    /// A reader of bodies with these caps.
    pub fn new(caps: Caps) -> Self {
        Self { caps, memory: Arc::new(Semaphore::new(caps.together / KIB)), threads: Arc::new(Semaphore::new(2)) }
    }

    /// Reads a body of at most `cap` bytes.
    ///
    /// # Errors
    /// 413 as soon as it is known to be larger, 408 when it takes too long, 503 when all bodies
    /// together would need too much.
    pub async fn read(&self, body: Body, headers: &HeaderMap, cap: usize) -> Result<Held, Refusal> {
        let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<u64>().ok());
        if announced.is_some_and(|length| length > cap as u64) {
            return Err(too_large(cap));
        }
        let read = tokio::time::timeout(self.caps.deadline, self.gather(body, cap)).await;
        read.unwrap_or_else(|_| {
            let seconds = self.caps.deadline.as_secs();
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "too-slow", format!("the body did not arrive within {seconds} s")))
        })
    }

    /// Reads a report, inflated where it was sent compressed.
    ///
    /// # Errors
    /// As [`Bodies::read`]; 415 for an encoding that is not known, 400 when it cannot be inflated.
    pub async fn read_report(&self, body: Body, headers: &HeaderMap) -> Result<Held, Refusal> {
        let held = self.read(body, headers, self.caps.report).await?;
        let encoding = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
        match encoding.as_deref() {
            None | Some("" | "identity") => Ok(held),
            Some("gzip" | "x-gzip") => self.inflate(held).await,
            Some(other) => {
                let detail = format!("content-encoding {other} is not understood; send gzip or nothing");
                Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoding", detail))
            }
        }
    }

    async fn gather(&self, mut body: Body, cap: usize) -> Result<Held, Refusal> {
        let mut bytes = Vec::new();
        let mut share = self.share(0)?;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Refusal::bad_request(format!("the body broke off: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > cap {
                return Err(too_large(cap));
            }
            let (had, needed) = (bytes.len().div_ceil(KIB), (bytes.len() + data.len()).div_ceil(KIB));
            share.merge(self.share(needed - had)?);
            bytes.extend_from_slice(&data);
        }
        Ok(Held { bytes: bytes.into(), share })
    }

    async fn inflate(&self, held: Held) -> Result<Held, Refusal> {
        let (cap, compressed) = (self.caps.inflated, held.bytes.clone());
        let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(|_| Refusal::unavailable("the server is stopping", 5))?;
        let task = tokio::task::spawn_blocking(move || {
            let _thread = thread;
            inflate(&compressed, cap)
        });
        let bytes = task.await.map_err(|_| Refusal::internal())??;
        let mut share = held.share;
        share.merge(self.share(bytes.len().div_ceil(KIB))?);
        Ok(Held { bytes: bytes.into(), share })
    }

    fn share(&self, kib: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let kib = u32::try_from(kib).unwrap_or(u32::MAX);
        let share = Arc::clone(&self.memory).try_acquire_many_owned(kib);
        share.map_err(|_| Refusal::unavailable("too many bytes are on their way at once; send it again", 5))
    }
}

fn too_large(cap: usize) -> Refusal {
    Refusal::too_large(format!("the body has more than {} MiB", cap.div_ceil(1 << 20)))
}

/// Inflates; what is larger than the probe is counted before it is given memory.
fn inflate(compressed: &[u8], cap: usize) -> Result<Vec<u8>, Refusal> {
    let bad = |error: std::io::Error| Refusal::bad_request(format!("the body cannot be inflated: {error}"));
    let mut out = Vec::new();
    let mut decoder = MultiGzDecoder::new(compressed);
    decoder.by_ref().take(PROBE.min(cap) as u64).read_to_end(&mut out).map_err(bad)?;
    let rest = std::io::copy(&mut decoder.by_ref().take(cap as u64 + 1), &mut std::io::sink()).map_err(bad)?;
    let size = out.len() as u64 + rest;
    if size > cap as u64 {
        return Err(Refusal::too_large(format!("the body has more than {} MiB when inflated", cap.div_ceil(1 << 20))));
    }
    if rest > 0 {
        out = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        MultiGzDecoder::new(compressed).read_to_end(&mut out).map_err(bad)?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = GzEncoder::new(Vec::new(), Compression::default());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    #[test]
    fn inflating_stops_at_the_cap_and_gives_back_what_fits() {
        for size in [0, 1, PROBE - 1, PROBE, PROBE + 1, 9 << 20] {
            let plain = vec![b'a'; size];
            assert!(inflate(&gzip(&plain), 9 << 20).unwrap() == plain, "{size}");
        }
        let bomb = gzip(&vec![0; (9 << 20) + 1]);
        assert_eq!(inflate(&bomb, 9 << 20).unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
        let cut = &gzip(b"some text")[..12];
        assert_eq!(inflate(cut, 100).unwrap_err().status, StatusCode::BAD_REQUEST);
    }
}
