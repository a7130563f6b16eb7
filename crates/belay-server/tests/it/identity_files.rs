//! The files by which certificates of hosts are known: read anew, and said what is wrong with them.

use belay_server::start;
use belay_server::tls::{Tls, Wanted};

use super::identity::Site;
use super::papers::{Authority, put};
use super::world::{options, until};

const LATER: (i32, u8, u8) = (2101, 1, 1);

#[test]
fn a_file_that_cannot_be_used_is_named_with_its_key_and_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let (ca, own) = (Authority::called("CA"), Authority::new());
    put(&path("belay.pem"), &own.issue(&["belay.example"], LATER).both());
    put(&path("ca.pem"), &ca.pem());
    put(&path("crl.pem"), &ca.revoked(&[]));
    put(&path("empty.pem"), "");
    put(&path("garbled.pem"), &ca.pem().replacen("MII", "!!!", 1));
    put(&path("nothing.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    put(&path("no-list.pem"), "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
    for (ca, crl, what, why) in [
        ("none.pem", "crl.pem", "server.client_ca", "none.pem cannot be used: there is no such file"),
        ("empty.pem", "crl.pem", "server.client_ca", "there are 0 certificates in it"),
        ("crl.pem", "crl.pem", "server.client_ca", "there are 0 certificates in it"),
        ("garbled.pem", "crl.pem", "server.client_ca", "no well-formed PEM"),
        ("nothing.pem", "crl.pem", "server.client_ca", "a certificate in it is not understood"),
        ("ca.pem", "none.pem", "server.client_crl", "none.pem cannot be used: there is no such file"),
        ("ca.pem", "ca.pem", "server.client_crl", "there is no revocation list in it"),
        ("ca.pem", "no-list.pem", "server.client_crl", "a list in it is not understood"),
    ] {
        let wanted = Wanted { ca: path(ca), crl: Some(path(crl)), relays: Vec::new() };
        let unusable = Tls::start(&path("belay.pem"), Some(&wanted)).unwrap_err();
        let said = unusable.to_string();
        assert!(said.starts_with(what) && said.contains(why) && unusable.help.contains("PEM file"), "{ca} {crl}: {unusable:?}");
    }
    let wanted = Wanted { ca: path("ca.pem"), crl: Some(path("crl.pem")), relays: Vec::new() };
    let shown = Tls::start(&path("belay.pem"), Some(&wanted)).unwrap().shown().clients.unwrap();
    assert_eq!((shown.authorities, shown.doubts, shown.refused), (1, Vec::new(), 0));
}

#[tokio::test]
async fn a_server_does_not_start_without_a_file_that_it_was_told_to_go_by() {
    let dir = tempfile::tempdir().unwrap();
    let (own, file) = (dir.path().join("belay.pem"), dir.path().join("belay.toml"));
    put(&own, &Authority::new().issue(&["belay.example"], LATER).both());
    put(&file, &format!("[server]\ncertificate = {:?}\nclient_ca = \"/nonexistent/ca.pem\"\n", own.display().to_string()));
    let mut options = options(dir.path()).0;
    options.config = Some(file);
    let refused = start(options).await.err().unwrap().to_string();
    assert!(refused.contains("server.client_ca /nonexistent/ca.pem") && refused.contains("name the PEM file"), "{refused}");
}

#[tokio::test]
async fn a_bad_list_changes_nothing_and_doctor_tells_until_it_is_put_right() {
    let ca = Authority::called("CA");
    let site = Site::with(&ca.pem(), Some(&ca.revoked(&[1])), "").await;
    let (bad, good) = (ca.host("web01", &["web01"], 1, LATER), ca.host("web02", &["web02"], 2, LATER));
    let says = async |ok: bool, text: &str| {
        let check = site.doctor("client-certificates").await;
        check["ok"] == ok && check["text"].as_str().unwrap().contains(text)
    };
    assert!(says(true, "1 authorities of hosts' certificates").await);
    put(&site.file("crl.pem"), "half of a li");
    until("doctor tells", || says(false, "there is no revocation list in it; what was read before counts")).await;
    assert!(site.report(Some(&bad), "", "web01").await.is_err(), "the old list counts");
    assert_eq!(site.report(Some(&good), "", "web02").await.unwrap().0, 200);
    // A renewed certificate of the server's own goes in all the same.
    assert!(site.world.running.reload().await.unwrap_err().to_string().contains("server.client_crl"));
    std::fs::remove_file(site.file("crl.pem")).unwrap();
    until("a file that is gone is told of too", || says(false, "there is no such file")).await;
    put(&site.file("crl.pem"), &ca.revoked(&[2]));
    until("the new list counts", || says(true, "1 authorities")).await;
    assert_eq!(site.report(Some(&bad), "", "web01").await.unwrap().0, 200);
    assert!(site.report(Some(&good), "", "web02").await.unwrap_err().contains("CertificateRevoked"));
}

#[tokio::test]
async fn an_authority_without_a_list_is_doubted_and_what_it_signed_is_refused() {
    let root = Authority::called("root");
    let below = root.below("below", 10);
    let lists = below.revoked(&[]);
    let site = Site::with(&format!("{}{}", root.pem(), below.pem()), Some(&lists), "").await;
    let check = site.doctor("client-certificates").await;
    assert!(check["ok"] == false && check["text"].as_str().unwrap().contains("crl.pem has no list of \"root\""), "{check}");
    let papers = below.host("web01", &["web01"], 1, LATER);
    assert!(site.report(Some(&papers), "", "web01").await.is_err());
    let told =
        async || site.doctor("client-certificates").await["text"].as_str().unwrap().contains("has no list of the authority that signed");
    until("doctor tells why", told).await;
    put(&site.file("crl.pem"), &format!("{lists}{}", root.revoked(&[])));
    site.world.running.reload().await.unwrap();
    assert_eq!(site.report(Some(&papers), "", "web01").await.unwrap().0, 200);
}

#[tokio::test]
async fn a_reload_takes_relays_and_authorities_from_the_configuration() {
    let (ca, next) = (Authority::called("CA"), Authority::called("the next CA"));
    let site = Site::with(&ca.pem(), None, "").await;
    let papers = ca.host("ps1", &["ps1"], 1, LATER);
    assert_eq!(site.report(Some(&papers), "", "web01").await.unwrap().0, 403);
    let config = std::fs::read_to_string(site.file("belay.toml")).unwrap();
    put(&site.file("belay.toml"), &format!("{config}[[server.relay]]\nname = \"ps1\"\nhosts = \"web*\"\n"));
    site.world.running.reload().await.unwrap();
    assert_eq!(site.report(Some(&papers), "", "web01").await.unwrap().0, 200);
    put(&site.file("ca.pem"), &next.pem());
    site.world.running.reload().await.unwrap();
    site.report(Some(&papers), "", "web01").await.unwrap_err();
    assert_eq!(site.report(Some(&next.host("ps1", &["ps1"], 1, LATER)), "", "web01").await.unwrap().0, 200);
    let without: String = config.lines().filter(|line| !line.starts_with("client_ca")).map(|line| format!("{line}\n")).collect();
    put(&site.file("belay.toml"), &without);
    site.world.running.reload().await.unwrap();
    assert_eq!(site.report(Some(&papers), "", "web01").await.unwrap().0, 401, "nobody is asked for a certificate any more");
}
