//! Who may: every route with every kind of credential; tokens; the API's own description.

use axum::body::Bytes;
use belay_server::http::{Kind, May, listed, openapi};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;

use super::world::World;

/// What a credential stands for, and who may by the manual.
const KINDS: [(&str, &str, &str); 7] = [
    ("viewer", "role", "viewer"),
    ("operator", "role", "operator"),
    ("approver", "role", "approver"),
    ("administrator", "role", "admin"),
    ("host", "host", "x"),
    ("a-relay", "relay", "*"),
    ("source", "source", "s1"),
];

fn may(may: May, name: &str) -> bool {
    let allowed: &[&str] = match may {
        May::Anyone => return true,
        May::Viewer => &["viewer", "operator", "approver", "administrator"],
        May::Operator => &["operator", "approver", "administrator"],
        May::Approver => &["approver", "administrator"],
        May::Admin => &["administrator"],
        May::Reporter => &["operator", "approver", "administrator", "host", "a-relay"],
        May::SourceOfSignals => &["operator", "approver", "administrator", "source", "host"],
    };
    allowed.contains(&name)
}

#[tokio::test]
async fn every_route_lets_in_whom_it_says_and_nobody_else() {
    let world = World::start().await;
    let mut credentials = vec![("nobody", String::new()), ("unknown", "belay_0123".to_owned())];
    for (name, kind, whom) in KINDS {
        credentials.push((name, world.token(name, kind, whom).await));
    }
    let routes = listed();
    assert!(routes.len() > 30, "{}", routes.len());
    for route in &routes {
        let path = filled(&route.path);
        let listens = route.path == "/api/v1/events";
        for (name, secret) in &credentials {
            // A stream has no end: that it is begun is told by what it refuses to begin with.
            let headers: &[_] = if listens { &[("last-event-id", "x")] } else { &[] };
            let answer = world.send(&route.method, &path, secret, headers, "").await;
            let status = answer.status.as_u16();
            let said = format!("{} {} as {name}: {status}", route.method, route.path);
            match (may(route.may, name), *name) {
                (true, _) => assert!(status != 401 && status != 403, "{said}"),
                (false, "nobody" | "unknown") if route.kind != Kind::Api => {
                    assert!(status == 303 && answer.header("location").starts_with("/login"), "{said}")
                }
                (false, "nobody" | "unknown") => {
                    assert_eq!((status, answer.headers.contains_key("www-authenticate")), (401, true), "{said}")
                }
                (false, _) => assert_eq!(status, 403, "{said}"),
            }
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{said}");
            assert_eq!(answer.header("cache-control"), "no-store", "{said}");
            assert!(!answer.header("content-security-policy").is_empty(), "{said}");
            assert!(answer.header("x-request-id").starts_with("req-"), "{said}");
        }
    }
}

/// The paths of a route with something in the place of what differs.
fn filled(path: &str) -> String {
    path.replace("{host}", "x").replace("{id}", "x").replace("{name}", "x").replace("{subject}", "x")
}

#[tokio::test]
async fn a_cookie_lets_in_whom_its_person_is_let_in_and_acts_only_from_an_own_page() {
    let world = World::start().await;
    let own = ("sec-fetch-site", "same-origin");
    for (name, kind, whom) in KINDS {
        let secret = world.token(name, kind, whom).await;
        let form = format!("token={secret}");
        let answer = super::sessions::login(&world, &form).await;
        if kind != "role" {
            assert_eq!(answer.status, 403, "only people log in, not {name}");
            continue;
        }
        let browser = super::sessions::enter(&world, &form).await;
        let (cookie, csrf) = (("cookie", browser.cookie.as_str()), ("x-belay-csrf", browser.csrf.as_str()));
        // The way out is tried last: nobody is let in after it.
        for route in listed().iter().filter(|route| route.path != "/logout" && route.path != "/api/v1/events") {
            let path = filled(&route.path);
            let ask = async |headers: &[(&str, &str)]| world.send(&route.method, &path, "", headers, "").await.status.as_u16();
            let said = format!("{} {} as {name} by cookie", route.method, route.path);
            let status = ask(&[cookie, own, csrf]).await;
            match may(route.may, name) {
                // A form is not sent as one here; what is in its field is tried below.
                true => assert!(status != 401 && status != 403, "{said}: {status}"),
                false => assert_eq!(status, 403, "{said}"),
            }
            if route.method == "GET" || route.may == May::Anyone {
                continue;
            }
            for headers in [&[cookie, csrf][..], &[cookie, csrf, ("sec-fetch-site", "cross-site")], &[cookie, csrf, ("origin", "null")]] {
                assert_eq!(ask(headers).await, 403, "{said} from elsewhere: {headers:?}");
            }
            let form = ("content-type", "application/x-www-form-urlencoded");
            assert_eq!(ask(&[cookie, own, form]).await, 403, "{said} without csrf");
        }
        let form = ("content-type", "application/x-www-form-urlencoded");
        assert_eq!(world.send("POST", "/logout", "", &[cookie, own, form], "csrf=x").await.status, 403);
        assert!(browser.stands(&world).await);
    }
}

#[tokio::test]
async fn a_secret_may_be_sent_as_the_password_and_ends_when_it_is_revoked() {
    use base64::Engine;
    let world = World::start().await;
    let secret = world.token("viewer", "role", "viewer").await;
    let basic = format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(format!("any:{secret}")));
    let headers = [("authorization", basic.as_str())];
    let ask = || world.send("GET", "/api/v1/status", "", &headers, "");
    assert_eq!(ask().await.status, 200);
    let tokens = world.see("/api/v1/tokens").await;
    assert!(!tokens.to_string().contains("belay_"), "no list shows a secret: {tokens}");
    assert_eq!(world.send("DELETE", "/api/v1/tokens/viewer", &world.admin, &[], "").await.status, 204);
    assert_eq!(ask().await.status, 401);
    assert_eq!(world.send("DELETE", "/api/v1/tokens/viewer", &world.admin, &[], "").await.status, 404);
    let audit = world.see("/api/v1/audit").await.to_string();
    assert!(audit.contains("credential viewer ended") && !audit.contains(&secret), "{audit}");
}

#[tokio::test]
async fn a_body_that_is_no_token_is_refused_by_the_part_that_is_wrong() {
    let world = World::start().await;
    for (body, status) in [("{", 400), ("{\"name\":\"x\",\"role\":\"god\"}", 422), ("{\"name\":\"x\"}", 422), ("[]", 400)] {
        let answer = world.send("POST", "/api/v1/tokens", &world.admin, &[], body).await;
        assert_eq!(answer.status, status, "{body}: {:?}", answer.body);
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_as_a_problem() {
    let world = World::start().await;
    for (method, path, status) in [
        ("GET", "/nowhere", 404),
        ("POST", "/healthz", 405),
        ("GET", "/api/v1/runs/run-9", 404),
        ("GET", "/api/v1/runs/9", 400),
        ("GET", "/api/v1/changes/c-9", 404),
        ("GET", "/api/v1/changes/c-9/evidence", 404),
        ("GET", "/api/v1/hosts/nobody", 404),
        ("GET", "/api/v1/why/nobody", 404),
        ("GET", "/api/v1/runs?limit=0", 400),
        ("GET", "/api/v1/runs?after=x", 400),
        ("GET", "/api/v1/hosts?class=%2f", 400),
    ] {
        let answer = world.send(method, path, &world.admin, &[], "").await;
        assert_eq!(answer.status, status, "{path}");
        let problem = answer.json();
        assert_eq!(problem["status"], status, "{path}");
        assert!(problem["type"].as_str().unwrap().starts_with("urn:belay:problem:"), "{path}");
        assert_eq!(problem["instance"], path.split('?').next().unwrap(), "{path}");
    }
}

#[tokio::test]
async fn the_description_of_the_api_is_the_one_that_was_agreed_on() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/openapi.json");
    let now = format!("{}\n", serde_json::to_string_pretty(&openapi()).unwrap());
    if std::env::var_os("BELAY_BLESS").is_some() {
        std::fs::write(path, &now).unwrap();
    }
    let agreed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(agreed == now, "the API changed: look at the difference after BELAY_BLESS=1");
    let world = World::start().await;
    let served = world.send("GET", "/api/v1/openapi.json", "", &[], "").await.json();
    assert_eq!((&served, &served["openapi"]), (&openapi(), &"3.1.0".into()));
    let described: usize = served["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum();
    assert_eq!(described, listed().iter().filter(|route| route.kind == Kind::Api).count(), "every route is described, and nothing else");
    let mut ids: Vec<_> = served["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values())
        .map(|o| o["operationId"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), described, "names of operations are unique");
    let text = served.to_string();
    for reference in text.split("#/components/schemas/").skip(1).map(|rest| &rest[..rest.find('"').unwrap()]) {
        assert!(served["components"]["schemas"].get(reference).is_some(), "{reference} is referred to and not there");
    }
}

#[tokio::test]
async fn on_the_own_machine_the_socket_says_who_asks() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::start().await;
    let mode = std::fs::metadata(world.running.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let stream = tokio::net::UnixStream::connect(world.running.socket()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let serving = tokio::spawn(connection);
    let request = axum::http::Request::get("/api/v1/tokens").header("host", "belay").body(Full::<Bytes>::default()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200, "the server's own user is an admin");
    assert!(!answer.into_body().collect().await.unwrap().to_bytes().is_empty());
    drop(sender);
    serving.await.unwrap().unwrap();
}
