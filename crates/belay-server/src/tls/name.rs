//! Whose a certificate is: the one name in it by which a host is known.
//!
//! One name of DNS among its subjectAltNames is the name. Where there is none, or several, the subject's common name (CN)
//! is: a tool's authority writes the host's name there, and old ones nowhere else. The TLS library verifies such a
//! certificate but maps no client to a name, so the subject is read here.

use std::collections::BTreeSet;

use belay_core::model::ids::HostId;
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// `2.5.4.3`, the type of a common name.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OID: u8 = 0x06;
/// UTF8String, PrintableString, IA5String.
const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];

/// The host a certificate was issued to.
///
/// # Errors
/// Why it names none, and what to do.
pub(super) fn host(certificate: &CertificateDer<'_>) -> Result<HostId, String> {
    let parsed = EndEntityCert::try_from(certificate).map_err(|error| format!("the certificate is not understood: {error}"))?;
    let mut named: BTreeSet<HostId> = parsed.valid_dns_names().filter_map(own_name).collect();
    let only = named.pop_first();
    if let (Some(only), true) = (&only, named.is_empty()) {
        return Ok(only.clone());
    }
    let common = common_names(parsed.subject()).ok_or("the certificate's subject is not understood")?;
    match common.as_slice() {
        [one] => {
            own_name(one).ok_or_else(|| format!("the certificate's common name {one:?} is no host's name: have it issued to the host's"))
        }
        [] => Err("the certificate names no host, or several and no common name (CN): have one issued to the host's name".to_owned()),
        _ => Err("the certificate has several common names (CN): have one issued to the host's name alone".to_owned()),
    }
}

/// The common names in a subject, for people; empty where it cannot be read.
pub(super) fn called(subject: &[u8]) -> String {
    common_names(subject).unwrap_or_default().join(", ")
}

/// A name is one host's, not a pattern.
fn own_name(text: &str) -> Option<HostId> {
    if text.contains(['*', '?']) { None } else { HostId::parse(text).ok() }
}

/// The common names of a subject: a sequence of sets of pairs of type and value, without its outermost header.
fn common_names(mut subject: &[u8]) -> Option<Vec<String>> {
    let mut found = Vec::new();
    while !subject.is_empty() {
        let (mut set, rest) = element(subject, SET)?;
        subject = rest;
        while !set.is_empty() {
            let (pair, rest) = element(set, SEQUENCE)?;
            set = rest;
            let (kind, value) = element(pair, OID)?;
            if kind == COMMON_NAME {
                let (&tag, _) = value.split_first()?;
                let (text, _) = element(value, tag)?;
                found.push(TEXTS.contains(&tag).then(|| std::str::from_utf8(text).ok()).flatten()?.to_owned());
            }
        }
    }
    Some(found)
}

/// The content of the element at the beginning, which has to have this tag, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = match first {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => rest.split_first().map(|(&len, rest)| (usize::from(len), rest))?,
        0x82 => rest.split_first_chunk::<2>().map(|(len, rest)| (usize::from(u16::from_be_bytes(*len)), rest))?,
        _ => return None,
    };
    if found == tag { rest.split_at_checked(len) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair};

    fn named(common: &[DnValue], alternative: &[&str]) -> Result<String, String> {
        let alternative: Vec<String> = alternative.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(alternative).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "x".repeat(300));
        for one in common {
            params.distinguished_name.push(DnType::CommonName, one.clone());
        }
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        host(certificate.der()).map(|host| host.to_string())
    }

    fn text(name: &str) -> DnValue {
        DnValue::Utf8String(name.to_owned())
    }

    #[test]
    fn the_one_alternative_name_counts_and_else_the_common_name() {
        let common = [text("Web01.Example.com")];
        assert_eq!(named(&common, &[]).unwrap(), "web01.example.com");
        assert_eq!(named(&[DnValue::PrintableString("web01".try_into().unwrap())], &[]).unwrap(), "web01");
        assert_eq!(named(&common, &["WEB02.example.com"]).unwrap(), "web02.example.com");
        assert_eq!(named(&common, &["web02.example.com", "Web02.example.com"]).unwrap(), "web02.example.com", "one name twice is one");
        assert_eq!(named(&common, &["belay", "web01.example.com"]).unwrap(), "web01.example.com");
        assert_eq!(named(&common, &["192.0.2.1"]).unwrap(), "web01.example.com", "an address is no name");
        assert_eq!(named(&common, &["*.example.com"]).unwrap(), "web01.example.com", "neither is a pattern");
    }

    #[test]
    fn a_certificate_that_names_no_host_says_so() {
        for (common, wanted) in [
            (vec![], "names no host"),
            (vec![text("Web Server")], "\"Web Server\" is no host's name"),
            (vec![text("*")], "\"*\" is no host's name"),
            (vec![text("")], "is no host's name"),
        ] {
            let said = named(&common, &[]).unwrap_err();
            assert!(said.contains(wanted) && said.contains("issued"), "{said}");
        }
        assert!(host(&CertificateDer::from(vec![0x30, 0])).unwrap_err().contains("not understood"));
    }

    #[test]
    fn a_subject_that_is_cut_off_anywhere_is_not_understood() {
        let subject = [&[SET, 12, SEQUENCE, 10, OID, 3][..], COMMON_NAME, &[0x0c, 3], b"web"].concat();
        assert_eq!(common_names(&subject).unwrap(), ["web"]);
        for end in 1..subject.len() {
            assert_eq!(common_names(&subject[..end]), None, "{end}");
        }
        let two = [subject.clone(), subject].concat();
        assert_eq!(common_names(&two).unwrap(), ["web", "web"]);
    }
}
