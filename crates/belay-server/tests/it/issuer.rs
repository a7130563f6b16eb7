//! Logging in through an identity provider, against a small one of our own that keeps to the rules, or does not.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64};
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData, SigningKey};
use serde_json::{Value, json};
use sha2::Digest;

use super::world::{Answer, NOON, World};

/// What the provider knows and does.
struct Fake {
    key: KeyPair,
    /// What it signs with, where that is another key than the one it shows.
    signs: Option<KeyPair>,
    /// What it says of whoever comes.
    claims: Value,
    /// The challenge of the login that goes on.
    challenge: String,
}

type Shared = Arc<(String, Mutex<Fake>)>;

async fn discovery(State(shared): State<Shared>) -> Json<Value> {
    let url = &shared.0;
    Json(json!({
        "issuer": url, "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/jwks"), "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
    }))
}

async fn jwks(State(shared): State<Shared>) -> Json<Value> {
    let fake = shared.1.lock().unwrap();
    let x = BASE64.encode(fake.key.der_bytes());
    Json(json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": "k1", "x": x}]}))
}

/// Only whoever knows the client's secret and began the login gets a token.
async fn token(State(shared): State<Shared>, headers: HeaderMap, body: String) -> (axum::http::StatusCode, Json<Value>) {
    let refused = |why: &str| (axum::http::StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant", "error_description": why})));
    let fake = shared.1.lock().unwrap();
    let field = |name: &str| body.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")).map(str::to_owned)).unwrap_or_default();
    let secret = format!("Basic {}", BASE64_STANDARD.encode("belay:the-secret"));
    if headers["authorization"] != secret.as_str() || field("code") != "code-1" || field("grant_type") != "authorization_code" {
        return refused("no such code");
    }
    if BASE64.encode(sha2::Sha256::digest(field("code_verifier"))) != fake.challenge {
        return refused("another one began this");
    }
    let part = |value: &Value| BASE64.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({"alg": "EdDSA", "kid": "k1"})), part(&fake.claims));
    let signature = fake.signs.as_ref().unwrap_or(&fake.key).sign(signed.as_bytes()).unwrap();
    let token = format!("{signed}.{}", BASE64.encode(signature));
    (axum::http::StatusCode::OK, Json(json!({"access_token": "a", "token_type": "Bearer", "id_token": token})))
}

async fn fake() -> Shared {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let shared: Shared = Arc::new((url, Mutex::new(Fake { key, signs: None, claims: json!({}), challenge: String::new() })));
    let router = Router::new().route("/.well-known/openid-configuration", get(discovery)).route("/jwks", get(jwks));
    let router = router.route("/token", post(token)).with_state(Arc::clone(&shared));
    let listener = axum_serve(listener, router);
    tokio::spawn(listener);
    shared
}

/// Serves connections, one task each.
async fn axum_serve(listener: tokio::net::TcpListener, router: Router) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let service = hyper_util::service::TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let served = hyper::server::conn::http1::Builder::new().serve_connection(hyper_util::rt::TokioIo::new(stream), service).await;
            drop(served);
        });
    }
}

fn config(dir: &Path, issuer: &str) -> std::path::PathBuf {
    std::fs::write(dir.join("secret"), "the-secret\n").unwrap();
    let text = format!(
        "[server]\npublic_url = \"http://belay.test\"\n[server.oidc]\nissuer = \"{issuer}\"\nclient_id = \"belay\"\n\
         client_secret_file = \"{}\"\nroles = {{ ops = \"operator\", seniors = \"approver\" }}\n",
        dir.join("secret").display()
    );
    std::fs::write(dir.join("belay.toml"), text).unwrap();
    dir.join("belay.toml")
}

async fn world(shared: &Shared) -> World {
    let issuer = shared.0.clone();
    World::with(move |options| options.config = Some(config(options.state_dir.as_ref().unwrap(), &issuer))).await
}

/// Goes to the provider and comes back with what it says; `alter` may spoil that, or the way back.
async fn login(world: &World, shared: &Shared, alter: impl FnOnce(&mut Value, &mut Vec<(&'static str, String)>)) -> Answer {
    let gone = world.send("GET", "/login/issuer?next=%2Fchanges", "", &[], "").await;
    assert_eq!(gone.status, 303, "{:?}", gone.body);
    let url = gone.header("location");
    assert!(url.starts_with(&format!("{}/authorize?response_type=code&client_id=belay", shared.0)), "{url}");
    let part = |name: &str| {
        let (_, rest) = url.split_once(&format!("{name}=")).unwrap();
        rest.split('&').next().unwrap().to_owned()
    };
    assert_eq!(part("redirect_uri"), "http%3A%2F%2Fbelay.test%2Flogin%2Fissuer%2Fback");
    assert_eq!(part("code_challenge_method"), "S256");
    let now = NOON / 1000;
    let mut claims = json!({
        "iss": shared.0, "aud": "belay", "sub": "u-1", "iat": now, "exp": now + 300, "nonce": part("nonce"),
        "preferred_username": "alice", "groups": ["staff", "ops", "seniors"],
    });
    let cookie = gone.header("set-cookie").split(';').next().unwrap().to_owned();
    let mut back = vec![("state", part("state")), ("code", "code-1".to_owned()), ("cookie", cookie)];
    alter(&mut claims, &mut back);
    {
        let mut fake = shared.1.lock().unwrap();
        fake.claims = claims;
        fake.challenge = part("code_challenge");
    }
    let said = |name: &str| back.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value.as_str());
    let path = format!("/login/issuer/back?state={}&code={}", said("state"), said("code"));
    world.send("GET", &path, "", &[("cookie", said("cookie"))], "").await
}

#[tokio::test]
async fn who_the_provider_knows_comes_in_with_the_most_that_a_group_may() {
    let shared = fake().await;
    let world = world(&shared).await;
    let page = world.send("GET", "/login?next=%2Fa%3Fb%3D%22", "", &[], "").await;
    assert!(String::from_utf8_lossy(&page.body).contains("href=\"/login/issuer?next=/"), "{:?}", page.body);
    let back = login(&world, &shared, |_, _| {}).await;
    assert_eq!((back.status.as_u16(), back.header("location")), (303, "/changes"), "{:?}", back.body);
    let cookies: Vec<&str> = back.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(cookies[0].starts_with("belay=") && cookies[1].starts_with("belay-login=;"), "{cookies:?}");
    let cookie = cookies[0].split(';').next().unwrap();
    let me = world.send("GET", "/api/v1/me", "", &[("cookie", cookie)], "").await.json();
    assert_eq!((&me["principal"]["name"], &me["principal"]["role"]), (&"oidc:alice".into(), &"approver".into()));
    assert!(world.see("/api/v1/audit").await.to_string().contains("oidc:alice logged in through the identity provider from 127.0.0.1"));
    let one = login(&world, &shared, |claims, _| claims["groups"] = "ops".into()).await;
    assert_eq!(one.status, 303, "a single group may come as a text");
}

#[tokio::test]
async fn what_the_provider_did_not_sign_for_this_login_lets_nobody_in() {
    type Alter = fn(&mut Value, &mut Vec<(&'static str, String)>);
    let shared = fake().await;
    let world = world(&shared).await;
    let cases: [(&str, u16, Alter); 10] = [
        ("another's nonce", 502, |claims, _| claims["nonce"] = "other".into()),
        ("for another client", 502, |claims, _| claims["aud"] = "other".into()),
        ("of another provider", 502, |claims, _| claims["iss"] = "https://evil.example".into()),
        ("over since long", 502, |claims, _| claims["exp"] = (NOON / 1000 - 4000).into()),
        ("no group", 403, |claims, _| claims["groups"] = json!(["staff"])),
        ("no groups", 403, |claims, _| drop(claims.as_object_mut().unwrap().remove("groups"))),
        ("a name that is none", 403, |claims, _| claims["preferred_username"] = "a\u{202e}b".into()),
        ("another code", 502, |_, back| back[1].1 = "code-2".into()),
        ("no code", 403, |_, back| back[1].1.clear()),
        ("from another browser", 403, |_, back| back[2].1 = "belay-login=other".into()),
    ];
    for (what, status, alter) in cases {
        let back = login(&world, &shared, alter).await;
        assert_eq!(back.status, status, "{what}: {:?}", back.body);
        assert!(back.header("set-cookie").is_empty(), "{what}");
    }
    shared.1.lock().unwrap().signs = Some(KeyPair::generate_for(&PKCS_ED25519).unwrap());
    assert_eq!(login(&world, &shared, |_, _| {}).await.status, 502, "signed by somebody else");
    let rotated = shared.1.lock().unwrap().signs.take().unwrap();
    shared.1.lock().unwrap().key = rotated;
    assert_eq!(login(&world, &shared, |_, _| {}).await.status, 303, "a new key of the provider's is asked for");
    let mut again = Vec::new();
    let first = login(&world, &shared, |_, back| again.clone_from(back)).await;
    assert_eq!(first.status, 303);
    let path = format!("/login/issuer/back?state={}&code=code-1", again[0].1);
    let second = world.send("GET", &path, "", &[("cookie", &again[2].1)], "").await;
    assert_eq!(second.status, 403, "a login ends once");
    assert!(world.running.state().sessions.len() == 2, "nobody else came in");
}

#[tokio::test]
async fn without_a_provider_and_with_one_that_is_away_the_rest_works() {
    let world = World::start().await;
    assert_eq!(world.send("GET", "/login/issuer", "", &[], "").await.status, 404);
    assert!(!String::from_utf8_lossy(&world.send("GET", "/login", "", &[], "").await.body).contains("/login/issuer"));
    let away: Shared = Arc::new((
        "http://127.0.0.1:9".to_owned(),
        Mutex::new(Fake { key: KeyPair::generate_for(&PKCS_ED25519).unwrap(), signs: None, claims: json!({}), challenge: String::new() }),
    ));
    let world = self::world(&away).await;
    let answer = world.send("GET", "/login/issuer", "", &[], "").await;
    assert_eq!(answer.status, 502);
    assert!(String::from_utf8_lossy(&answer.body).contains("a password or a credential still works"));
}
