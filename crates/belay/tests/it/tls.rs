//! TLS between the binary as server and the binary as client.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};

use crate::harness::{Ran, Server, belay, ran, run};

/// Files of an authority and of a server's certificate for this name.
struct Papers {
    dir: tempfile::TempDir,
    ca: PathBuf,
    config: PathBuf,
    authority: CertifiedIssuer<'static, KeyPair>,
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

impl Papers {
    fn new(names: &[&str], ends_in: i32) -> Self {
        let (dir, authority) = (tempfile::tempdir().unwrap(), authority());
        let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        params.not_after = date_time_ymd(ends_in, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let (ca, pem, config) = (dir.path().join("ca.pem"), dir.path().join("belay.pem"), dir.path().join("belay.toml"));
        std::fs::write(&ca, authority.pem()).unwrap();
        std::fs::write(&pem, format!("{}{}", certificate.pem(), key.serialize_pem())).unwrap();
        std::fs::write(&config, format!("[server]\ncertificate = {:?}\n", pem.display().to_string())).unwrap();
        Self { dir, ca, config, authority }
    }

    /// A host's certificate and key, in a file each.
    fn host(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.authority).unwrap();
        let (of_certificate, of_key) = (self.dir.path().join(format!("{name}.pem")), self.dir.path().join(format!("{name}-key.pem")));
        std::fs::write(&of_certificate, certificate.pem()).unwrap();
        std::fs::write(&of_key, key.serialize_pem()).unwrap();
        (of_certificate, of_key)
    }

    fn serve(&self) -> Server {
        Server::start(&self.dir.path().join("state"), &["--config", self.config.to_str().unwrap()])
    }

    /// Asks for the status at this address, trusting what the file holds.
    fn ask(&self, server: &Server, url: &str, ca: Option<&Path>) -> Ran {
        let secret = server.greeting.lines().find_map(|line| line.trim().strip_prefix("admin ")).unwrap().trim();
        let mut command = belay(&["status", "--server", url]);
        command.env("BELAY_TOKEN", secret).args(ca.iter().flat_map(|ca| ["--ca", ca.to_str().unwrap()]));
        ran(command.output().unwrap())
    }
}

fn failed(ran: &Ran, text: &str, help: &str) {
    assert!(ran.code == 1 && ran.err.contains(text) && ran.err.contains(help), "{}: {}", ran.code, ran.err);
}

#[test]
fn the_server_is_asked_over_https_and_its_certificate_is_checked() {
    let papers = Papers::new(&["127.0.0.1"], 2101);
    let server = papers.serve();
    let url = format!("https://{}", server.address);
    assert!(server.greeting.contains(&url) && server.greeting.contains("reporturl = https://relay:"), "{}", server.greeting);
    assert!(!server.greeting.contains("http://"), "{}", server.greeting);
    let answered = papers.ask(&server, &url, Some(&papers.ca));
    assert_eq!(answered.code, 0, "{}", answered.err);
    let token = server.greeting.split("BELAY_TOKEN=").nth(1).unwrap().lines().next().unwrap();
    let by_environment = belay(&["status", "--server", &url]).env("BELAY_CA", &papers.ca).env("BELAY_TOKEN", token).output();
    assert_eq!(ran(by_environment.unwrap()).code, 0);
    failed(&papers.ask(&server, &url, None), "was signed by nobody who is trusted here", "help: --ca FILE");
    failed(&papers.ask(&server, &url.replace("https", "http"), None), "this port speaks TLS", "https://");
    let by_name = papers.ask(&server, &url.replace("127.0.0.1", "localhost"), Some(&papers.ca));
    failed(&by_name, "and not for the name it was asked by", "use one of its names");
    let doctor = server.ask(&["doctor"]).out;
    assert!(doctor.contains("certificate: ") && doctor.contains("belay.pem ends in "), "{doctor}");
}

#[test]
fn a_certificate_that_cannot_be_trusted_is_told_with_its_cause() {
    for (names, ends, text, help) in [
        (&["127.0.0.1"][..], 2020, "ended at 2020-01-01T00:00:00Z", "renew it"),
        (&[], 2101, "names no host (subjectAltName)", "have it issued anew"),
    ] {
        let papers = Papers::new(names, ends);
        let server = papers.serve();
        failed(&papers.ask(&server, &format!("https://{}", server.address), Some(&papers.ca)), text, help);
    }
    let papers = Papers::new(&["127.0.0.1"], 2101);
    let plain = Server::start(&papers.dir.path().join("plain"), &[]);
    failed(&papers.ask(&plain, &format!("https://{}", plain.address), Some(&papers.ca)), "does not speak TLS", "write http://");
    let nothing = run(&["status", "--server", "https://127.0.0.1:1", "--ca", papers.config.to_str().unwrap()]);
    assert!(nothing.code == 64 && nothing.err.contains("holds no authority to trust"), "{}", nothing.err);
}

#[test]
fn a_bad_certificate_is_named_at_the_start_and_after_a_hangup() {
    let papers = Papers::new(&["127.0.0.1"], 2101);
    let pem = papers.dir.path().join("belay.pem");
    let good = std::fs::read_to_string(&pem).unwrap();
    let server = papers.serve();
    std::fs::write(&pem, "nothing").unwrap();
    server.signal("HUP");
    let said = "belay.pem cannot be used: there is no certificate in it";
    for _ in 0..200 {
        if server.log().contains(said) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(server.log().contains(said), "{}", server.log());
    assert_eq!(papers.ask(&server, &format!("https://{}", server.address), Some(&papers.ca)).code, 0, "the old one stays");
    let state = papers.dir.path().join("other");
    let args = ["serve", "--listen", "127.0.0.1:0", "--state", state.to_str().unwrap(), "--config", papers.config.to_str().unwrap()];
    failed(&run(&args), said, "help: write the server's own certificate into it");
    std::fs::remove_file(&pem).unwrap();
    failed(&run(&args), "there is no such file", "or leave out server.certificate");
    std::fs::write(&pem, good).unwrap();
}

#[test]
fn the_agent_shows_its_hosts_certificate_and_needs_no_secret() {
    let papers = Papers::new(&["127.0.0.1"], 2101);
    let asks = format!("{}client_ca = {:?}\n", std::fs::read_to_string(&papers.config).unwrap(), papers.ca.display().to_string());
    std::fs::write(&papers.config, asks).unwrap();
    let server = papers.serve();
    let agent = |certificate: &Path, key: &Path| {
        let shows = format!("certificate = {:?}\nkey = {:?}\n", certificate.display().to_string(), key.display().to_string());
        let text = format!("server = \"https://{}\"\nca = {:?}\n{shows}", server.address, papers.ca.display().to_string());
        let config = belay_agent::config::parse("agent.toml", &text, Some("web01")).unwrap();
        belay_agent::server::Client::open(&config.server.unwrap())
    };
    let asked = |certificate: &Path, key: &Path| {
        let now = jiff::Timestamp::now().as_millisecond();
        let body = serde_json::json!({"protocol": belay_api::agent::PROTOCOL, "host": "web01", "sent_at_ms": now});
        agent(certificate, key).unwrap().poll(&serde_json::from_value(body).unwrap(), Duration::from_secs(20))
    };
    let ((own, own_key), (other, other_key)) = (papers.host("web01"), papers.host("web02"));
    asked(&own, &own_key).unwrap();
    let refused = asked(&other, &other_key).unwrap_err();
    assert_eq!(refused.status, Some(403), "{refused:?}");
    let elsewhere = Papers::new(&["127.0.0.1"], 2101);
    let (foreign, foreign_key) = elsewhere.host("web01");
    let refused = asked(&foreign, &foreign_key);
    assert!(refused.as_ref().is_err_and(|failed| failed.status.is_none()), "{refused:?}");
    let mixed = format!("{:#}", agent(&own, &other_key).err().unwrap());
    assert!(mixed.contains("web02-key.pem") && mixed.contains("do not belong together"), "{mixed}");
    let gone = format!("{:#}", agent(&own, Path::new("/nonexistent/key.pem")).err().unwrap());
    assert!(gone.contains("there is no /nonexistent/key.pem"), "{gone}");
}
