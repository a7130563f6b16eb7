use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::fault::{code, told};

fn tcp(host: &str, port: u16, root: &str) -> Place {
    Place::Tcp { tls: false, host: host.to_owned(), port, root: root.to_owned() }
}

#[test]
fn addresses_are_read_with_port_and_root() {
    for (url, place) in [
        ("http://127.0.0.1:7878", tcp("127.0.0.1", 7878, "")),
        ("http://belay.example/", tcp("belay.example", 80, "")),
        ("http://[::1]:7878/ops/belay/", tcp("::1", 7878, "/ops/belay")),
        ("http://[::1]", tcp("::1", 80, "")),
        ("unix:/run/belay.sock", Place::Socket("/run/belay.sock".into())),
    ] {
        assert_eq!(Place::parse(url).unwrap(), place, "{url}");
    }
    assert_eq!(Place::parse("http://[::1]:7878").unwrap().to_string(), "http://[::1]:7878");
    let secure = Place::parse("https://belay.example").unwrap();
    assert_eq!((secure.speaks_tls(), secure.to_string().as_str()), (true, "https://belay.example:443"));
}

#[test]
fn an_address_that_cannot_be_asked_is_refused_with_its_remedy() {
    for url in ["https://", "ftp://belay.example", "belay.example:7878", "http://", "http://:7878", "http://a:b", "http://user@host", ""] {
        let (_, help, exit) = told(&Place::parse(url).unwrap_err());
        assert!(help.is_some() && exit == code::USAGE, "{url}");
    }
}

#[test]
fn a_query_is_escaped_and_leaves_out_what_was_not_given() {
    assert_eq!(query(&[("class", None), ("limit", None)]), "");
    assert_eq!(
        query(&[("class", Some("a&b=c d".to_owned())), ("after", None), ("limit", Some("5".to_owned()))]),
        "?class=a%26b%3Dc%20d&limit=5"
    );
    assert_eq!(escaped("c-17/../x"), "c-17%2F..%2Fx");
}

#[test]
fn a_refusal_is_told_in_the_servers_words() {
    let body = r#"{"type":"urn:belay:problem:not-found","title":"not found","status":404,"detail":"there is no Change c-9"}"#;
    let reply = |status: StatusCode, body: &str| Reply { status, retry_after: None, body: Bytes::copy_from_slice(body.as_bytes()) };
    assert_eq!(refused("/api/v1/holds/h-9", &reply(StatusCode::NOT_FOUND, body)).to_string(), "there is no Change c-9");
    assert_eq!(refused("/api/v1/holds/h-9", &reply(StatusCode::BAD_GATEWAY, "<html>")).to_string(), "the server answered 502 Bad Gateway");
    let help = |path: &str| told(&refused(path, &reply(StatusCode::NOT_FOUND, body)).into()).1.unwrap();
    assert!(help("/api/v1/holds/h-9").contains("belay hold list") && help("/api/v1/plan?class=x").contains("belay status"));
    let busy = Reply { retry_after: Some(Duration::from_secs(5)), ..reply(StatusCode::SERVICE_UNAVAILABLE, body) };
    assert_eq!(told(&refused("/api/v1/holds", &busy).into()).1.unwrap(), "try again in 5 s");
}

#[tokio::test]
async fn an_answer_counts_although_the_server_closes_at_once_after_it() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(tcp("127.0.0.1", listener.local_addr().unwrap().port(), "/ops"), Some("secret".to_owned()), None).unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = vec![0; 2000];
        let read = stream.read(&mut asked).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[1,2]").await.unwrap();
        stream.shutdown().await.unwrap();
        String::from_utf8_lossy(&asked[..read]).into_owned()
    };
    let (answer, asked) = tokio::join!(client.get::<Vec<u32>>("/api/v1/x"), server);
    assert_eq!(answer.unwrap(), [1, 2]);
    assert!(asked.starts_with("GET /ops/api/v1/x HTTP/1.1\r\n") && asked.contains("Bearer secret"), "{asked}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_with_the_next_step() {
    let dir = tempfile::tempdir().unwrap();
    let client = Client::new(Place::of_state(dir.path()), None, None).unwrap();
    let (text, help, exit) = told(&client.get_raw("/").await.unwrap_err());
    assert!(text.contains("no such socket") && help.unwrap().contains("belay serve") && exit == code::ERROR, "{text}");
    drop(std::os::unix::net::UnixListener::bind(dir.path().join("belay.sock")).unwrap());
    let (text, ..) = told(&client.get_raw("/").await.unwrap_err());
    assert!(text.contains("nobody listens"), "{text}");
}
