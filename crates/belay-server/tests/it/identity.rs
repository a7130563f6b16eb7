//! Who speaks, by certificates: real handshakes with papers of the test's own authorities.

use std::path::PathBuf;

use rustls::HandshakeKind;
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::papers::{Authority, Papers, put};
use super::world::{World, door, report_of, until};

const LATER: (i32, u8, u8) = (2101, 1, 1);
const NAME: &str = "belay.example";

/// A server that asks for certificates, and what it goes by.
pub struct Site {
    pub world: World,
    own: Authority,
    dir: TempDir,
}

impl Site {
    /// A server that takes certificates of these authorities, except those on these lists.
    pub async fn with(authorities: &str, lists: Option<&str>, more: &str) -> Self {
        let (own, dir) = (Authority::called("the server's authority"), tempfile::tempdir().unwrap());
        let path = |name: &str| dir.path().join(name).display().to_string();
        put(&dir.path().join("belay.pem"), &own.issue(&[NAME], LATER).both());
        put(&dir.path().join("ca.pem"), authorities);
        let mut config = format!("[server]\ncertificate = {:?}\nclient_ca = {:?}\n", path("belay.pem"), path("ca.pem"));
        if let Some(lists) = lists {
            put(&dir.path().join("crl.pem"), lists);
            config += &format!("client_crl = {:?}\n", path("crl.pem"));
        }
        put(&dir.path().join("belay.toml"), &(config + more));
        let file = dir.path().join("belay.toml");
        let world = World::with(|options| options.config = Some(file)).await;
        Self { world, own, dir }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn client(&self, papers: Option<&Papers>) -> TlsConnector {
        self.own.showing(rustls::ALL_VERSIONS, papers)
    }

    async fn connect(&self, client: &TlsConnector) -> Result<TlsStream<TcpStream>, String> {
        let stream = TcpStream::connect(self.world.running.address()).await.unwrap();
        client.connect(ServerName::try_from(NAME).unwrap(), stream).await.map_err(|error| error.to_string())
    }

    /// The status and the rest of the answer, or why there is none.
    async fn post(&self, papers: Option<&Papers>, token: &str, path: &str, body: &str) -> Result<(u16, String), String> {
        let mut stream = self.connect(&self.client(papers)).await?;
        exchange(&mut stream, "POST", path, token, body).await
    }

    /// Brings a report of this host.
    pub async fn report(&self, papers: Option<&Papers>, token: &str, host: &str) -> Result<(u16, String), String> {
        self.post(papers, token, door(), &report_of("changed-first-run", host, 7)).await
    }

    /// A check of doctor, asked by the socket of this machine.
    pub async fn doctor(&self, name: &str) -> serde_json::Value {
        let mut stream = tokio::net::UnixStream::connect(self.world.running.socket()).await.unwrap();
        let (_, answer) = exchange(&mut stream, "GET", "/api/v1/doctor", &self.world.admin, "").await.unwrap();
        let view: serde_json::Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        view["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap().clone()
    }
}

/// One request on a connection that stays.
async fn exchange<S>(stream: &mut S, method: &str, path: &str, token: &str, body: &str) -> Result<(u16, String), String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let credential = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
    let head = format!("{method} {path} HTTP/1.1\r\nhost: belay\r\n{credential}content-length: {}\r\n\r\n", body.len());
    let failed = |error: std::io::Error| error.to_string();
    // Refused in the handshake, the connection may break while it is written: the reason comes with the read.
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
    let _ = stream.flush().await;
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let len = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |len| len.parse().unwrap());
            if rest.len() >= len {
                return Ok((head.split(' ').nth(1).unwrap().parse().unwrap(), text));
            }
        }
        if stream.read_buf(&mut answer).await.map_err(failed)? == 0 {
            return Err(format!("closed after {text:?}"));
        }
    }
}

fn status(answer: &Result<(u16, String), String>) -> u16 {
    answer.as_ref().unwrap_or_else(|error| panic!("{error}")).0
}

#[tokio::test]
async fn a_host_speaks_for_itself_and_a_relay_for_its_pattern() {
    let ca = Authority::called("CA");
    let relay = "[[server.relay]]\nname = \"ps1.example.com\"\nhosts = \"web*\"\n";
    let site = Site::with(&ca.pem(), Some(&ca.revoked(&[])), relay).await;
    let web = ca.host("Web01", &["web01"], 1, LATER);
    assert_eq!(status(&site.report(Some(&web), "", "web01").await), 200);
    let other = site.report(Some(&web), "", "web02").await;
    assert!(status(&other) == 403 && other.as_ref().unwrap().1.contains("does not speak for web02"), "{other:?}");
    let person = site.post(Some(&web), "", "/api/v1/tokens", "{\"name\":\"x\",\"role\":\"admin\"}").await;
    assert!(status(&person) == 403 && person.unwrap().1.contains("the credential is host:web01"));

    // As such a server's is issued: several names, and its own as the common one.
    let server = ca.host("ps1.example.com", &["puppet", "ps1.example.com"], 2, LATER);
    assert_eq!(status(&site.report(Some(&server), "", "web02").await), 200);
    assert_eq!(status(&site.report(Some(&server), "", "db01").await), 403);
    let poll = "{\"protocol\":1}";
    let asked = site.post(Some(&server), "", "/api/v1/write", poll).await;
    assert!(!matches!(status(&asked), 401 | 403), "samples of its own it may send: {asked:?}");
}

#[tokio::test]
async fn a_secret_works_without_a_certificate_and_goes_before_one() {
    let ca = Authority::called("CA");
    let site = Site::with(&ca.pem(), None, "").await;
    let web = ca.host("web01", &[], 1, LATER);
    assert_eq!(status(&site.report(None, &site.world.relay, "db01").await), 200);
    assert_eq!(status(&site.report(Some(&web), &site.world.relay, "db01").await), 200, "the secret speaks for all");
    assert_eq!(status(&site.report(Some(&web), "belay_nonsense", "db01").await), 403, "a certificate for its own host");
    assert_eq!(status(&site.report(Some(&web), "belay_nonsense", "web01").await), 200);
    assert_eq!(status(&site.report(None, "belay_nonsense", "web01").await), 401);
    assert_eq!(status(&site.report(None, "", "web01").await), 401);
}

#[tokio::test]
async fn a_certificate_with_a_common_name_only_will_do_and_one_without_a_host_is_told_so() {
    let ca = Authority::called("CA");
    let site = Site::with(&ca.pem(), None, "").await;
    assert_eq!(status(&site.report(Some(&ca.host("WEB01.example.com", &[], 1, LATER)), "", "web01.example.com").await), 200);
    let nameless = site.report(Some(&ca.host("Web Server", &[], 2, LATER)), "", "web01").await;
    assert!(status(&nameless) == 401 && nameless.unwrap().1.contains("\\\"Web Server\\\" is no host's name"));
}

#[tokio::test]
async fn foreign_and_ended_certificates_are_refused_in_the_handshake_and_doctor_says_why() {
    let ca = Authority::called("CA");
    let site = Site::with(&ca.pem(), None, "").await;
    for (papers, alert, why) in [
        (Authority::called("another CA").host("web01", &["web01"], 1, LATER), "UnknownCA", "signed by no authority in server.client_ca"),
        (Authority::called("CA").host("web01", &["web01"], 1, LATER), "", "client's certificate"),
        (ca.host("web01", &["web01"], 1, (2020, 1, 2)), "CertificateExpired", "has ended: renew it on the host"),
    ] {
        let refused = site.report(Some(&papers), "", "web01").await.unwrap_err();
        assert!(refused.contains("fatal alert") && refused.contains(alert), "{refused}");
        let named = async || site.doctor("client-certificates").await["text"].as_str().unwrap().contains(why);
        until("doctor says why", named).await;
    }
    let check = site.doctor("client-certificates").await;
    assert!(check["ok"] == true && check["text"].as_str().unwrap().contains("3 were refused"), "{check}");
}

#[tokio::test]
async fn what_is_revoked_is_refused_without_a_restart_also_who_is_connected_or_has_a_ticket() {
    let ca = Authority::called("CA");
    let site = Site::with(&ca.pem(), Some(&ca.revoked(&[])), "").await;
    let (web, db) = (ca.host("web01", &["web01"], 1, LATER), ca.host("db01", &["db01"], 2, LATER));
    let report = report_of("changed-first-run", "web01", 7);
    let client = site.client(Some(&web));
    let mut connected = site.connect(&client).await.unwrap();
    assert_eq!(status(&exchange(&mut connected, "POST", door(), "", &report).await), 200);
    let mut again = site.connect(&client).await.unwrap();
    assert_eq!(again.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed), "there is a ticket to be refused below");
    assert_eq!(status(&exchange(&mut again, "POST", door(), "", &report).await), 200);

    put(&site.file("crl.pem"), &ca.revoked(&[1]));
    let refused = async || {
        let answer = exchange(&mut site.connect(&site.client(Some(&web))).await.unwrap(), "POST", door(), "", &report).await;
        answer.is_err_and(|error| error.contains("CertificateRevoked"))
    };
    until("the new list counts", refused).await;
    let with_ticket = async { exchange(&mut site.connect(&client).await?, "POST", door(), "", &report).await }.await;
    assert!(with_ticket.as_ref().is_err_and(|error| error.contains("CertificateRevoked")), "{with_ticket:?}");
    let kept = exchange(&mut connected, "POST", door(), "", &report).await;
    assert!(status(&kept) == 401 && kept.as_ref().unwrap().1.contains("was revoked"), "{kept:?}");
    assert_eq!(status(&site.report(Some(&db), "", "db01").await), 200, "nobody else is touched");
}

#[tokio::test]
async fn an_authority_between_need_not_be_sent_and_can_be_revoked() {
    let root = Authority::called("root");
    let (left, right) = (root.below("left", 10), root.below("right", 11));
    let both = format!("{}{}{}", left.pem(), root.pem(), right.pem());
    let lists = |root_list: &str| format!("{root_list}{}{}", left.revoked(&[]), right.revoked(&[5]));
    let site = Site::with(&both, Some(&lists(&root.revoked(&[]))), "").await;
    let (good, bad) = (left.host("web01", &["web01"], 5, LATER), right.host("web02", &["web02"], 5, LATER));
    assert_eq!(status(&site.report(Some(&good), "", "web01").await), 200);
    let sent = Papers { certificate: format!("{}{}", good.certificate, left.pem()), key: good.key.clone() };
    assert_eq!(status(&site.report(Some(&sent), "", "web01").await), 200, "sent all the same");
    assert!(site.report(Some(&bad), "", "web02").await.unwrap_err().contains("CertificateRevoked"), "by its own authority, same number");
    put(&site.file("crl.pem"), &lists(&root.revoked(&[10])));
    site.world.running.reload().await.unwrap();
    assert!(site.report(Some(&good), "", "web01").await.unwrap_err().contains("CertificateRevoked"), "the one between was revoked");
}
