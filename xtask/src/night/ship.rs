//! The shipper: reads the sitemonitor's counters and sends them to Belay by remote-write 1.0, as any agent of a monitoring would.
//! Written by hand, so that Belay's decoder is not tested against Belay's own encoder.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::http;
use super::sitemonitor::Flows;

/// The name of the counter.
pub const METRIC: &str = "sitemonitor_requests_total";
const PATH: &str = "/prometheus/api/v1/write";

/// How the shipping went so far.
#[derive(Clone, Debug, Default)]
pub struct Shipped {
    /// Writes that were acknowledged.
    pub sent: u64,
    /// Writes that were not.
    pub failed: u64,
    /// What the last one of those said.
    pub trouble: Option<String>,
}

/// Ships in a thread of its own until it is dropped.
pub struct Shipper {
    stop: Arc<AtomicBool>,
    shipped: Arc<Mutex<Shipped>>,
    thread: Option<JoinHandle<()>>,
}

impl Shipper {
    /// Starts shipping with this credential.
    pub fn start(to: SocketAddr, secret: String, flows: Flows) -> Self {
        let (stop, shipped) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Shipped::default())));
        let (told, noted) = (Arc::clone(&stop), Arc::clone(&shipped));
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::SeqCst) {
                let sent = ship(to, &secret, &flows);
                let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                match sent {
                    Ok(()) => noted.sent += 1,
                    Err(error) => {
                        noted.failed += 1;
                        noted.trouble = Some(format!("{error:#}"));
                    }
                }
                drop(noted);
                std::thread::sleep(until_next(since_epoch().subsec_millis()));
            }
        });
        Self { stop, shipped, thread: Some(thread) }
    }

    /// How it went so far.
    pub fn shipped(&self) -> Shipped {
        self.shipped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Shipper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.take().map(JoinHandle::join);
    }
}

/// To a quarter and three quarters of each second: away from the borders of the steps.
fn until_next(millis: u32) -> Duration {
    Duration::from_millis(u64::from((750 - millis % 500) % 500)).max(Duration::from_millis(20))
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn ship(to: SocketAddr, secret: &str, flows: &Flows) -> anyhow::Result<()> {
    let now = since_epoch().as_millis() as u64;
    let counts: Vec<(String, u64)> = flows.now().into_iter().map(|(host, flow)| (host, flow.requests)).collect();
    let body = literal_snappy(&write_request(&counts, now));
    let bearer = format!("Bearer {secret}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/x-protobuf"),
        ("Content-Encoding", "snappy"),
        ("X-Prometheus-Remote-Write-Version", "0.1.0"),
    ];
    let reply = http::send(to, "POST", PATH, &headers, &body)?;
    anyhow::ensure!(reply.status / 100 == 2, "remote-write answered {}: {}", reply.status, reply.text().trim());
    Ok(())
}

/// `WriteRequest { timeseries: [TimeSeries { labels, samples }] }`, one sample a host.
fn write_request(counts: &[(String, u64)], now: u64) -> Vec<u8> {
    let label = |name: &str, value: &str| [field(1, name.as_bytes()), field(2, value.as_bytes())].concat();
    let mut out = Vec::new();
    for (host, count) in counts {
        let labels = [field(1, &label("__name__", METRIC)), field(1, &label("host", host))].concat();
        let sample = [&[0x09], (*count as f64).to_le_bytes().as_slice(), &[0x10], &varint(now)].concat();
        out.extend(field(1, &[labels, field(2, &sample)].concat()));
    }
    out
}

/// A field of bytes: its number with wire type 2, its length, itself.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2], varint(bytes.len() as u64).as_slice(), bytes].concat()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

/// Snappy's block format without any compression: the length, then literals of at most 60 bytes.
fn literal_snappy(bytes: &[u8]) -> Vec<u8> {
    let mut out = varint(bytes.len() as u64);
    for chunk in bytes.chunks(60) {
        out.push((chunk.len() as u8 - 1) << 2);
        out.extend(chunk);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_request_is_laid_out_as_the_protocol_says() {
        let bytes = write_request(&[("web01".to_owned(), 3)], 300);
        let name = [b"\x0a\x26\x0a\x08__name__\x12\x1a".as_slice(), METRIC.as_bytes()].concat();
        let host = b"\x0a\x0d\x0a\x04host\x12\x05web01";
        let sample = b"\x12\x0c\x09\x00\x00\x00\x00\x00\x00\x08\x40\x10\xac\x02";
        let series = [name.as_slice(), host, sample].concat();
        assert_eq!(bytes, [&[0x0a, series.len() as u8], series.as_slice()].concat());
    }

    #[test]
    fn long_texts_are_several_literals() {
        let block = literal_snappy(&[7; 130]);
        assert_eq!((&block[..3], block.len()), ([130, 1, 59 << 2].as_slice(), 2 + 3 + 130));
        assert_eq!((block[2 + 61], block[2 + 122]), (59 << 2, 9 << 2));
    }

    #[test]
    fn samples_are_taken_away_from_the_borders_of_the_steps() {
        for millis in 0..1000 {
            let wait = until_next(millis);
            let at = (u128::from(millis) + wait.as_millis()) % 500;
            assert!((250..=270).contains(&at) && wait <= Duration::from_millis(500), "{millis} ms: {wait:?}");
        }
    }
}
