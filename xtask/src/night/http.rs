//! As much HTTP/1.1 as the night needs, over plain sockets: one request a connection, bodies with a stated length.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

const PATIENCE: Duration = Duration::from_secs(30);
const HEAD_MAX: u64 = 64 * 1024;
const BODY_MAX: u64 = 64 * 1024 * 1024;

/// What a server answered.
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body, whole.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What a client asked.
pub struct Request {
    /// The path with its query.
    pub path: String,
    /// Header names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, whole.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Sends one request and reads the answer to its end.
pub fn send(to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> anyhow::Result<Reply> {
    let ask = || -> anyhow::Result<Reply> {
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        patient(&stream)?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(&[head.as_bytes(), body].concat())?;
        answer(&mut BufReader::new(stream))
    };
    ask().with_context(|| format!("{method} http://{to}{path}"))
}

/// Reads an answer to its end.
pub fn answer(from: &mut impl BufRead) -> anyhow::Result<Reply> {
    let (first, headers, body) = read(from, true)?;
    let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value.eq_ignore_ascii_case("chunked"));
    let body = if chunked { joined(&body)? } else { body };
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok(Reply { status: status.with_context(|| format!("no status in `{first}`"))?, body })
}

fn patient(stream: &TcpStream) -> anyhow::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream.set_nodelay(true)?)
}

type Message = (String, Vec<(String, String)>, Vec<u8>);

/// First line, headers, body. Without a stated length an answer ends with its connection and a request has no body.
fn read(from: &mut impl BufRead, answer: bool) -> anyhow::Result<Message> {
    let mut head = from.by_ref().take(HEAD_MAX);
    let mut lines: Vec<String> = Vec::new();
    loop {
        let mut line = String::new();
        ensure!(head.read_line(&mut line)? > 0, "the connection ended within the head");
        match line.trim_end() {
            "" => break,
            text => lines.push(text.to_owned()),
        }
    }
    let mut lines = lines.into_iter();
    let first = lines.next().context("an empty head")?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':').map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned())))
        .collect();
    let stated = headers.iter().find(|(name, _)| name == "content-length").map(|(_, value)| value.parse::<u64>()).transpose()?;
    let mut body = Vec::new();
    match stated {
        Some(length) if length > BODY_MAX => bail!("a body of {length} bytes"),
        Some(length) => {
            from.take(length).read_to_end(&mut body)?;
            ensure!(body.len() as u64 == length, "the connection ended after {} of {length} bytes", body.len());
        }
        None if answer => {
            from.take(BODY_MAX).read_to_end(&mut body)?;
        }
        None => {}
    }
    Ok((first, headers, body))
}

/// The chunks of a body, put together: each is its length as a hexadecimal number, a line's end, its bytes, and another line's end.
fn joined(mut rest: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").context("a chunk without its length")?;
        let length = std::str::from_utf8(&rest[..end])?.split(';').next().unwrap_or_default();
        let length = usize::from_str_radix(length.trim(), 16).context("a chunk's length is no number")?;
        if length == 0 {
            return Ok(body);
        }
        rest = &rest[end + 2..];
        ensure!(rest.len() >= length + 2, "the connection ended within a chunk");
        body.extend_from_slice(&rest[..length]);
        rest = &rest[length + 2..];
    }
}

/// A listener on this machine that answers every request with what a function says of it, until it is dropped.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts it on a free port.
    pub fn start(answer: impl Fn(&Request) -> u16 + Send + Sync + 'static) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen on a free port")?;
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let (answer, told) = (Arc::new(answer), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if told.load(Ordering::SeqCst) {
                    break;
                }
                let answer = Arc::clone(&answer);
                // A client that goes away in the middle is its own affair.
                std::thread::spawn(move || stream.map_err(anyhow::Error::from).and_then(|stream| converse(stream, &*answer)).ok());
            }
        });
        Ok(Self { address, stop, thread: Some(thread) })
    }
}

fn converse(mut stream: TcpStream, answer: &(impl Fn(&Request) -> u16 + ?Sized)) -> anyhow::Result<()> {
    patient(&stream)?;
    let (first, headers, body) = read(&mut BufReader::new(&stream), false)?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let status = answer(&Request { path, headers, body });
    Ok(stream.write_all(format!("HTTP/1.1 {status} -\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes())?)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // The listener waits for somebody; this is somebody.
        if TcpStream::connect_timeout(&self.address, PATIENCE).is_ok()
            && let Some(thread) = self.thread.take()
        {
            thread.join().ok();
        }
    }
}

/// A port nobody listens on at this moment.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("look for a free port")?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reaches_the_server_whole_and_its_answer_comes_back() {
        let fits = |request: &Request| request.path == "/a?b" && request.header("x-host") == Some("web01") && request.body == b"text";
        let server = Server::start(move |request| if fits(request) { 204 } else { 400 }).expect("a server");
        let reply = send(server.address, "POST", "/a?b", &[("X-Host", "web01")], b"text").expect("an answer");
        assert_eq!((reply.status, reply.body.len()), (204, 0));
        assert_eq!(send(server.address, "POST", "/a", &[], b"").expect("an answer").status, 400);
    }

    #[test]
    fn an_answer_without_a_length_ends_with_its_connection_and_a_short_one_is_an_error() {
        let read =
            |text: &str| read(&mut text.as_bytes(), true).map(|(first, _, body)| (first, String::from_utf8_lossy(&body).into_owned()));
        assert_eq!(read("HTTP/1.1 200 OK\r\n\r\nall of it").expect("an answer").1, "all of it");
        assert_eq!(read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nall of it").expect("an answer").1, "all");
        assert!(read("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nall of it").is_err());
        assert!(read("HTTP/1.1 200 OK\r\n").is_err());
    }

    #[test]
    fn chunks_are_put_together_and_half_of_one_is_an_error() {
        assert_eq!(joined(b"3\r\nall\r\n6;x\r\n of it\r\n0\r\n\r\n").expect("a body"), b"all of it");
        assert!(joined(b"3\r\nal").is_err() && joined(b"zz\r\n").is_err() && joined(b"").is_err());
    }
}
