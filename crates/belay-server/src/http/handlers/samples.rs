//! Samples come in: visible to every question, and safe from the death of the process, before they
//! are acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use belay_core::model::host::Host;
use belay_core::model::ids::HostId;
use belay_core::model::principal::Principal;
use belay_core::state::State;
use belay_signals::{Appended, Refused, Retry, SeriesIn};

use super::super::refusal::Refusal;
use super::super::route::Call;
use crate::drive::host_named;
use crate::wire::{self, BadWrite, WireSeries};

/// Takes samples. They are visible, and survive the process, before the answer.
pub(crate) async fn write(mut call: Call, (): ()) -> Result<Response<Body>, Refusal> {
    let principal = call.principal()?;
    let source = principal.actor().0;
    let own = match principal {
        Principal::Host(host) => Some(Own { host, labels: call.app.drive.read(host_labels) }),
        Principal::Person { .. } | Principal::Relay(_) | Principal::Source(_) => None,
    };
    encoding(&call)?;
    let body = call.take_body();
    let held = call.app.bodies.read(body, &call.headers, call.app.bodies.caps.samples).await?;
    let drive = call.app.drive.clone();
    let (now, bytes, name) = (call.app.drive.now(), held.bytes.clone(), source.clone());
    let taken = call.app.signals.on_thread(move |store| {
        let series = wire::read_write(&bytes).map_err(NotTaken::Unreadable)?;
        if let Some(own) = &own {
            drive.read(|state| own.check(&series, &state.hosts)).map_err(NotTaken::OfAnother)?;
        }
        let rows: Vec<SeriesIn<'_>> = series.iter().map(|one| SeriesIn { labels: &one.labels, samples: &one.samples }).collect();
        let appended = store.append(&name, &rows, now.ms()).map_err(NotTaken::Refused)?;
        Ok::<_, NotTaken>((rows.len() as u64, appended))
    });
    match taken.await.ok_or_else(|| Refusal::unavailable("the server is stopping", 5))? {
        Ok((series, appended)) => {
            let written = appended.samples + appended.duplicates + appended.conflicts;
            call.app.signals.taken(&source, now, series, written);
            Ok(acknowledged(&appended))
        }
        Err(not_taken) => {
            let refusal = not_taken.refusal();
            call.app.signals.refused(&source, &refusal.detail);
            Err(refusal)
        }
    }
}

/// The label by which an agent says whose its samples are.
const HOST_LABEL: &str = "host";

/// The labels that hold a host's name in some declared signal.
fn host_labels(state: &State) -> BTreeSet<String> {
    state.policy.signals.iter().map(|signal| signal.host_label.clone()).chain([HOST_LABEL.to_owned()]).collect()
}

/// A host that sends samples may send those of its own only: whatever a signal takes for a host's
/// name has to be its name.
struct Own {
    host: HostId,
    labels: BTreeSet<String>,
}

impl Own {
    fn check(&self, series: &[WireSeries], hosts: &BTreeMap<HostId, Host>) -> Result<(), String> {
        let refused = |name: &str, value: &str| {
            let value: String = value.chars().take(60).collect();
            format!("{name}={value:?}: this credential speaks for {} only", self.host)
        };
        for one in series {
            match one.labels.iter().find(|(name, _)| name == HOST_LABEL) {
                Some((_, value)) if value.eq_ignore_ascii_case(self.host.as_str()) => {}
                Some((name, value)) => return Err(refused(name, value)),
                None => return Err(format!("a series has no label {HOST_LABEL}: a host's samples carry its name")),
            }
            let others = one.labels.iter().filter(|(name, _)| self.labels.contains(name));
            for (name, value) in others {
                if host_named(value, hosts).is_some_and(|host| host != self.host) {
                    return Err(refused(name, value));
                }
            }
        }
        Ok(())
    }
}

/// Why samples were not taken.
enum NotTaken {
    Unreadable(BadWrite),
    OfAnother(String),
    Refused(Refused),
}

impl NotTaken {
    fn refusal(self) -> Refusal {
        match self {
            Self::Unreadable(bad) => match bad {
                BadWrite::Version2 => Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", bad.to_string()),
                BadWrite::TooLarge { .. } => Refusal::too_large(bad.to_string()),
                _ => Refusal::bad_request(bad.to_string()),
            },
            Self::OfAnother(text) => Refusal::forbidden(text),
            Self::Refused(refused) => match refused.retry() {
                Retry::Never => Refusal::bad_request(refused.to_string()),
                Retry::Later => Refusal::unavailable(refused.to_string(), 10),
            },
        }
    }
}

fn acknowledged(appended: &Appended) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    for (name, value) in wire::written(appended.samples + appended.duplicates + appended.conflicts) {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// A sender that says which encoding it uses has to use the one that is understood.
fn encoding(call: &Call) -> Result<(), Refusal> {
    let text = |name| call.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let (kind, encoding) = (text(header::CONTENT_TYPE), text(header::CONTENT_ENCODING));
    let known = (kind.is_empty() || kind.starts_with("application/x-protobuf")) && matches!(encoding.as_str(), "" | "snappy");
    if known && !kind.contains(".v2.") {
        return Ok(());
    }
    let detail = format!("{kind:?} encoded as {encoding:?} is not understood; send version 1.0, application/x-protobuf encoded as snappy");
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail))
}
