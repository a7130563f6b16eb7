//! A listener that plays the server: it keeps every request and answers as it is told.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use belay_api::agent::{InForceBody, PROTOCOL, PoliciesAnswer, PoliciesAsk, PollAnswer, PollBody, TableAnswer, TableBody};
use belay_core::host::policy::{HostPolicy, Stand};

/// How long something is waited for before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the server knows and was asked.
#[derive(Default)]
pub struct Known {
    /// The policy it gives.
    pub policy: Option<HostPolicy>,
    /// Polls, in order.
    pub polls: Vec<PollBody>,
    /// Reports that were sent, in order, with the status they got.
    pub reports: Vec<(u16, Vec<u8>)>,
    /// The policies it gives to a relay, two a page.
    pub relayed: Vec<HostPolicy>,
    /// The table of them, and from when it is in force, once that is known; none where the server knows no tables.
    pub table: Option<(u64, Option<i64>)>,
    /// What a relay asked.
    pub asks: Vec<PoliciesAsk>,
    /// Bodies of samples.
    pub writes: Vec<Vec<u8>>,
    /// The statuses that the next reports get; 200 after them.
    pub statuses: VecDeque<u16>,
    /// Events are acknowledged up to the highest that was told.
    pub acknowledges: bool,
}

/// The server. Ends when it is dropped; another one can be started at the same address.
pub struct Server {
    pub address: String,
    pub known: Arc<Mutex<Known>>,
    over: Arc<AtomicBool>,
    listening: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Starts it at any free port.
    pub fn start(policy: Option<HostPolicy>) -> Self {
        Self::at("127.0.0.1:0", Arc::new(Mutex::new(Known { policy, acknowledges: true, ..Known::default() })))
    }

    /// Starts it at an address, knowing what another one knew.
    pub fn at(address: &str, known: Arc<Mutex<Known>>) -> Self {
        let since = Instant::now();
        let listener = loop {
            match TcpListener::bind(address) {
                Ok(listener) => break listener,
                Err(error) => assert!(since.elapsed() < PATIENCE, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let over = Arc::new(AtomicBool::new(false));
        let (ends, knows) = (Arc::clone(&over), Arc::clone(&known));
        let listening = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        let knows = Arc::clone(&knows);
                        std::thread::spawn(move || serve(stream, &knows));
                    }
                    Err(_) => std::thread::sleep(Duration::from_millis(5)),
                }
            }
        });
        Self { address, known, over, listening: Some(listening) }
    }

    /// Waits until what is known is as wanted.
    pub fn until(&self, what: &str, wanted: impl Fn(&Known) -> bool) {
        until(what, || wanted(&self.known.lock().unwrap()));
    }

    /// Alters what is known.
    pub fn alter(&self, how: impl FnOnce(&mut Known)) {
        how(&mut self.known.lock().unwrap());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(listening) = self.listening.take() {
            _ = listening.join();
        }
    }
}

/// Waits until something is so.
pub fn until(what: &str, is: impl Fn() -> bool) {
    let since = Instant::now();
    while !is() {
        assert!(since.elapsed() < PATIENCE, "still waiting for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn serve(mut stream: TcpStream, known: &Mutex<Known>) {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let Some((head, body)) = request(&mut stream) else { return };
    let (status, answer) = answer(&head, body, known);
    let text = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}", answer.len());
    _ = stream.write_all(text.as_bytes());
}

fn request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok()).unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                return Some((head, bytes[end + 4..].to_vec()));
            }
        }
        match stream.read(&mut chunk) {
            Ok(n @ 1..) => bytes.extend_from_slice(&chunk[..n]),
            _ => return None,
        }
    }
}

fn answer(head: &str, body: Vec<u8>, known: &Mutex<Known>) -> (u16, String) {
    let mut known = known.lock().unwrap();
    let path = head.split(' ').nth(1).unwrap();
    if path.ends_with("/agent/policies") {
        assert!(head.contains("authorization: bearer relays"), "{head}");
        return (200, relayed(&mut known, &body));
    }
    assert!(head.contains("authorization: bearer secret"), "{head}");
    if path.ends_with("/agent/poll") {
        let poll: PollBody = serde_json::from_slice(&body).unwrap();
        poll.poll().unwrap();
        let ack = poll.events.iter().map(|event| event.number).max().filter(|_| known.acknowledges).unwrap_or(0);
        let have = poll.have.map(Into::into);
        let results = poll.results.iter().map(|result| result.id.clone()).collect();
        known.polls.push(poll);
        return match &known.policy {
            Some(policy) => (200, serde_json::to_string(&PollAnswer { results, ..PollAnswer::of(policy, have, ack) }).unwrap()),
            None => (503, "{\"detail\":\"not yet\"}".to_owned()),
        };
    }
    if path.contains("/runs/") {
        let status = known.statuses.pop_front().unwrap_or(200);
        known.reports.push((status, body));
        return (status, "{}".to_owned());
    }
    if path.ends_with("/write") {
        known.writes.push(body);
        return (204, String::new());
    }
    (404, format!("{{\"detail\":\"no {path}\"}}"))
}

fn relayed(known: &mut Known, body: &[u8]) -> String {
    let ask: PoliciesAsk = serde_json::from_slice(body).unwrap();
    let rest = known.relayed.iter().filter(|policy| ask.after.as_deref().is_none_or(|after| policy.host.as_str() > after));
    let page: Vec<&HostPolicy> = rest.take(2).collect();
    let stand = known.relayed.first().map_or(Stand::default(), |policy| policy.stand);
    let body = |number| TableBody { incarnation: 1, number };
    let said = ask.table.as_ref().zip(known.table);
    let stored = said.map(|(said, (number, _))| said.stored == Some(body(number)));
    let same = stored.unwrap_or(ask.after.is_none() && ask.have.map(Into::into) == Some(stand));
    let table = said.map(|(_, (number, from))| TableAnswer {
        given: (!same).then(|| body(number)),
        in_force: from.map(|from_ms| InForceBody { table: body(number), from_ms }),
        now_ms: belay_agent::clock::now().ms(),
    });
    let answer = PoliciesAnswer {
        protocol: PROTOCOL,
        stand: stand.into(),
        same,
        policies: page.iter().filter(|_| !same).map(|policy| (*policy).into()).collect(),
        next: page.last().filter(|_| page.len() == 2 && !same).map(|last| last.host.to_string()),
        wait_ms: 10,
        table,
    };
    known.asks.push(ask);
    serde_json::to_string(&answer).unwrap()
}
