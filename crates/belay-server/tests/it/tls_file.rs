//! The certificate's file: what is wrong with it is said with its name and the remedy.

use std::path::Path;
use std::process::Command;

use belay_server::tls::{Shown, Tls, Unusable};

use super::papers::{Authority, Papers, put};

fn papers() -> Papers {
    Authority::new().issue(&["belay.example"], (2101, 1, 1))
}

fn read(text: &str) -> Result<Shown, Unusable> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("belay.pem");
    put(&path, text);
    Tls::start(&path, None).map(|tls| tls.shown())
}

#[test]
fn every_mistake_is_told_from_the_others() {
    let (own, other) = (papers(), papers());
    let garbled = own.certificate.replacen("MII", "!!!", 1);
    let nothing = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let encrypted = own.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    for (text, why, help) in [
        (String::new(), "there is no certificate in it", "cat fullchain.pem privkey.pem"),
        (own.key.clone(), "there is no certificate in it", "cat fullchain.pem privkey.pem"),
        (own.certificate.clone(), "there is no private key in it", "cat fullchain.pem privkey.pem"),
        (format!("{}{}", own.both(), other.key), "there are 2 private keys in it", "leave only the one"),
        (format!("{}{}", own.certificate, other.key), "not that of the first certificate", "comes first"),
        (format!("{}{}", other.certificate, own.both()), "not that of the first certificate", "comes first"),
        (format!("{}{encrypted}", own.certificate), "its private key is encrypted", "openssl pkey"),
        (format!("{}{old}", own.certificate), "its private key is encrypted", "openssl pkey"),
        (format!("{garbled}{}", own.key), "no well-formed PEM", "cat fullchain.pem"),
        (format!("{nothing}{}", own.key), "its first certificate is not understood", "cat fullchain.pem"),
    ] {
        let unusable = read(&text).unwrap_err();
        assert!(unusable.why.contains(why) && unusable.help.contains(help), "wanted {why:?}: {unusable:?}");
        assert!(unusable.to_string().contains("belay.pem cannot be used: "), "{unusable}");
    }
    let missing = Tls::start(Path::new("/nonexistent/belay.pem"), None).unwrap_err();
    assert!(missing.why.contains("no such file") && missing.help.contains("server.certificate"), "{missing:?}");
}

#[test]
fn what_keeps_clients_away_is_a_doubt_and_no_refusal() {
    let own = papers();
    let shown = read(&own.both()).unwrap();
    assert_eq!((shown.doubts, shown.ends.unwrap().to_string()), (Vec::<String>::new(), "2101-01-01T00:00:00Z".to_owned()));
    assert_eq!(read(&format!("{}{}", own.key, own.certificate)).unwrap().doubts, Vec::<String>::new(), "in either order");
    let nameless = read(&Authority::new().issue(&[], (2101, 1, 1)).both()).unwrap();
    assert!(nameless.doubts.len() == 1 && nameless.doubts[0].contains("subjectAltName"), "{nameless:?}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("belay.pem");
    put(&path, &own.both());
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let open = Tls::start(&path, None).unwrap().shown();
    assert!(open.doubts.len() == 1 && open.doubts[0].contains("chmod o="), "{open:?}");
}

/// What people make by hand, in every form a key may have. Needs the `openssl` command.
#[test]
fn keys_of_every_form_are_read_and_an_authority_of_its_own_is_doubted() {
    let dir = tempfile::tempdir().unwrap();
    let openssl = |command: &str| {
        let output = Command::new("openssl").args(command.split_whitespace()).current_dir(dir.path()).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !openssl("version") {
        eprintln!("SKIPPED: there is no openssl command: PKCS#1 and SEC1 keys were not tested");
        return;
    }
    for (new, traditional, begins) in [
        ("rsa:2048", "rsa -traditional", "BEGIN RSA PRIVATE KEY"),
        ("ec -pkeyopt ec_paramgen_curve:prime256v1", "ec", "BEGIN EC PRIVATE KEY"),
    ] {
        let made = format!("req -x509 -nodes -newkey {new} -keyout key -out crt -days 30 -subj /CN=belay -addext subjectAltName=DNS:belay");
        assert!(openssl(&made) && openssl(&format!("{traditional} -in key -out old")), "{made}");
        let text = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        assert!(text("old").contains(begins), "{}", text("old"));
        let shown = read(&format!("{}{}", text("crt"), text("old"))).unwrap();
        assert_eq!(shown, Shown { path: shown.path.clone(), ..read(&format!("{}{}", text("crt"), text("key"))).unwrap() });
        assert!(shown.doubts.len() == 1 && shown.doubts[0].contains("CA:FALSE"), "{shown:?}");
    }
}
