//! Settings and doctor: whether Belay itself is in order, what is configured and from where.

use askama::Template;
use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use belay_api::http::{DoctorCheck, QuarantineRow, SessionRow, TokenRow, UserRow};
use belay_core::decide::Input;
use belay_core::model::policy::{ClassPolicy, ReleaseSource, WaveSize};

use super::acts::{Filled, filled_in};
use super::shell::{Shell, page};
use crate::drive::Keep;
use crate::http::handlers::audit::quarantined;
use crate::http::handlers::health::examined;
use crate::http::handlers::login::local;
use crate::http::handlers::settled;
use crate::http::handlers::users::session_id;
use crate::http::html::see_other;
use crate::http::refusal::Refusal;
use crate::http::route::Call;

/// Rows of the quarantine that are shown.
const ASIDE_MAX: usize = 20;

#[derive(Template)]
#[template(path = "settings.html")]
struct Settings {
    s: Shell,
    ok: bool,
    checks: Vec<DoctorCheck>,
    from: String,
    loaded: String,
    error: Option<String>,
    budget: String,
    classes: Vec<Class>,
    receivers: Vec<(String, String)>,
    freezes: Vec<String>,
    text: Option<String>,
    aside: Vec<QuarantineRow>,
}

/// A class as it is configured, defaults filled in.
struct Class {
    name: String,
    who: String,
    release: String,
    environments: String,
    enforce: &'static str,
    waves: String,
    bake: String,
    horizon: String,
}

/// The page.
pub async fn settings(call: Call) -> Result<Response<Body>, Refusal> {
    let doctor = examined(&call.app).await?;
    let aside = call.app.readers.ask(|reader| reader.quarantine(None, ASIDE_MAX)).await?;
    let s = Shell::of(&call, "/settings", "Settings and doctor");
    let (last, path) = (call.app.configuration.last(), call.app.configuration.path());
    let (classes, receivers, freezes, budget, text) = call.app.drive.read(|state| {
        let policy = &state.policy;
        let receivers = policy.receivers.iter().map(|receiver| {
            let classes: Vec<&str> = receiver.classes.iter().map(|class| class.as_str()).collect();
            (receiver.name.to_string(), if classes.is_empty() { "all classes".to_owned() } else { classes.join(", ") })
        });
        let freezes = policy.freezes.iter().map(|freeze| format!("from {} until {}: {}", freeze.from, freeze.until, freeze.reason));
        let budget = format!("{} per {}", policy.false_rejections.count, policy.false_rejections.per);
        // It may hold addresses that are secrets: whoever may do everything sees it.
        let text = s.administers().then(|| policy.text.to_string()).filter(|text| !text.is_empty());
        (policy.classes.iter().map(class).collect(), receivers.collect(), freezes.collect(), budget, text)
    });
    page(&Settings {
        ok: doctor.ok,
        checks: doctor.checks,
        from: path.map_or_else(|| "no file: all is as it is by default".to_owned(), |path| path.display().to_string()),
        loaded: last.at.to_string(),
        error: last.error,
        budget,
        classes,
        receivers,
        freezes,
        text,
        aside: aside.items.into_iter().map(quarantined).collect(),
        s,
    })
}

fn class(class: &ClassPolicy) -> Class {
    let hosts = class.hosts.iter().map(|pattern| pattern.as_str().to_owned());
    let facts = class.facts.iter().map(|(name, value)| format!("{name} = {value}"));
    let environments: Vec<String> = class.environments.iter().map(|(release, environment)| format!("{release} → {environment}")).collect();
    let wave = |wave: &WaveSize| match wave {
        WaveSize::Hosts(count) => count.to_string(),
        WaveSize::Percent(part) => format!("{part} %"),
    };
    Class {
        name: class.name.to_string(),
        who: hosts.chain(facts).collect::<Vec<_>>().join(", "),
        release: match &class.release {
            ReleaseSource::None => "none".to_owned(),
            ReleaseSource::Reported => "as the agent tells".to_owned(),
            ReleaseSource::Fact(name) => format!("fact {name}"),
        },
        environments: environments.join(", "),
        enforce: class.enforce.word(),
        waves: class.waves.iter().map(wave).collect::<Vec<_>>().join(", "),
        bake: class.bake.to_string(),
        horizon: class.horizon.to_string(),
    }
}

#[derive(Template)]
#[template(path = "people.html")]
struct People {
    s: Shell,
    users: Vec<UserRow>,
    sessions: Vec<SessionRow>,
    tokens: Vec<TokenRow>,
}

/// The most sessions, accounts and credentials that are shown.
const SHOWN_MAX: usize = 200;

/// Who may do what, and who is signed in where: everything for admins, one's own sessions for everybody.
pub async fn people(call: Call) -> Result<Response<Body>, Refusal> {
    let s = Shell::of(&call, "/settings", "People and credentials");
    let (all, own, now) = (s.administers(), call.principal()?.actor().to_string(), call.app.drive.now());
    let (users, sessions, mut tokens) = call.app.drive.read(|state| {
        let standing = state.sessions.values().filter(|session| state.stands_for(session, now).is_some());
        let seen = standing.filter(|session| all || session.person.actor().0 == own);
        let mut sessions: Vec<_> = seen.collect();
        sessions.sort_by_key(|session| std::cmp::Reverse(session.seen));
        let of = |name: &str| state.sessions.values().filter(|session| session.name() == name).count();
        let users: Vec<UserRow> =
            state.users.values().filter(|_| all).take(SHOWN_MAX).map(|user| UserRow::of(user, of(&user.name))).collect();
        let tokens: Vec<TokenRow> = state.tokens.iter().filter(|_| all).map(TokenRow::from).collect();
        (users, sessions.into_iter().take(SHOWN_MAX).map(SessionRow::from).collect::<Vec<_>>(), tokens)
    });
    tokens.sort_by(|a, b| a.name.cmp(&b.name));
    tokens.truncate(SHOWN_MAX);
    page(&People { s, users, sessions, tokens })
}

/// Ends a session: one's own, or anybody's for an admin. Who may is decided with everything else.
pub async fn end_session(call: Call, _: Filled) -> Result<Response<Body>, Refusal> {
    let id = session_id(call.param("id"))?;
    let input = Input::EndSession { principal: call.principal()?, id };
    settled(call.app.drive.decide(input, Keep::default()).await?)?;
    Ok(see_other("/settings/people"))
}

/// Chooses a theme. It is kept in the browser, and says nothing about anybody.
pub async fn theme(call: Call, filled: Filled) -> Result<Response<Body>, Refusal> {
    let mut response = see_other(local(filled_in(&filled, "back")));
    let cookie = match filled_in(&filled, "theme") {
        Some("dark") => "belay-theme=dark; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly",
        Some("light") => "belay-theme=light; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly",
        _ => "belay-theme=; Path=/; Max-Age=0; SameSite=Lax; HttpOnly",
    };
    drop(call);
    response.headers_mut().append(header::SET_COOKIE, HeaderValue::from_static(cookie));
    Ok(response)
}
