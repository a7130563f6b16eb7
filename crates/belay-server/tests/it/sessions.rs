//! People who log in: the cookie, what it takes to act by it, and everything that ends it.

use std::time::Duration;

use super::world::{Answer, World};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const OWN: (&str, &str) = ("sec-fetch-site", "same-origin");

/// A browser with a session.
pub struct Browser {
    pub cookie: String,
    pub csrf: String,
}

pub async fn login(world: &World, form: &str) -> Answer {
    world.send("POST", "/login", "", &[FORM, OWN], form.to_owned()).await
}

/// Logs in, and learns what has to be sent along.
pub async fn enter(world: &World, form: &str) -> Browser {
    let answer = login(world, form).await;
    assert_eq!(answer.status, 303, "{:?}", answer.body);
    let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
    let me = world.send("GET", "/api/v1/me", "", &[("cookie", &cookie)], "").await;
    assert_eq!(me.status, 200);
    Browser { csrf: me.json()["csrf"].as_str().unwrap().to_owned(), cookie }
}

impl Browser {
    /// As a script of a page sends it.
    pub async fn send(&self, world: &World, method: &str, path: &str, body: &str) -> Answer {
        let headers = [("cookie", self.cookie.as_str()), OWN, ("x-belay-csrf", self.csrf.as_str())];
        world.send(method, path, "", &headers, body.to_owned()).await
    }

    pub async fn stands(&self, world: &World) -> bool {
        self.send(world, "GET", "/api/v1/me", "").await.status == 200
    }
}

pub async fn user(world: &World, name: &str, role: &str, classes: &[&str]) {
    let body = serde_json::json!({"name": name, "role": role, "classes": classes, "password": format!("{name} has a password")});
    let answer = world.send("POST", "/api/v1/users", &world.admin, &[], body.to_string()).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
}

pub async fn enter_as(world: &World, name: &str) -> Browser {
    enter(world, &format!("name={name}&password={name}+has+a+password")).await
}

#[tokio::test]
async fn a_person_logs_in_with_a_password_or_a_credential_and_out_again() {
    let world = World::cheap().await;
    user(&world, "alice", "operator", &[]).await;
    let token = world.token("bob", "role", "viewer").await;
    let page = world.send("GET", "/login?next=%2Fchanges%3Fa%3Db", "", &[], "").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(String::from_utf8_lossy(&page.body).contains("value=\"/changes?a=b\""));
    assert_eq!(page.header("referrer-policy"), "same-origin", "or the browser would hide where the form comes from");

    let answer = login(&world, "name=alice&password=alice+has+a+password&next=%2Fchanges").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/changes"));
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("belay=") && cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    assert!(!cookie.contains("Secure"), "a plain loopback connection could not send it back");

    let (alice, bob) = (enter_as(&world, "alice").await, enter(&world, &format!("token={token}")).await);
    let me = bob.send(&world, "GET", "/api/v1/me", "").await.json();
    assert_eq!((&me["principal"]["name"], &me["principal"]["role"]), (&"bob".into(), &"viewer".into()));
    assert_ne!(alice.csrf, bob.csrf);

    let out = |csrf: String| {
        let (world, cookie) = (&world, alice.cookie.clone());
        async move { world.send("POST", "/logout", "", &[("cookie", &cookie), FORM, OWN], format!("csrf={csrf}")).await }
    };
    assert_eq!(out(bob.csrf.clone()).await.status, 403, "it has to be the session's own");
    let gone = out(alice.csrf.clone()).await;
    assert_eq!((gone.status.as_u16(), gone.header("location")), (303, "/login"));
    assert!(gone.header("set-cookie").contains("Max-Age=0"));
    assert!(!alice.stands(&world).await && bob.stands(&world).await);
    let audit = world.see("/api/v1/audit").await.to_string();
    assert!(audit.contains("alice logged in with a password from 127.0.0.1") && audit.contains("alice logged out"), "{audit}");
    assert!(audit.contains("bob logged in with the credential bob"), "{audit}");
    assert!(!audit.contains("argon2"), "{audit}");
}

#[tokio::test]
async fn under_the_encrypted_public_address_the_cookie_never_travels_in_the_clear() {
    let world = World::with(|options| {
        let path = options.state_dir.clone().unwrap().join("belay.toml");
        std::fs::write(&path, "[server]\npublic_url = \"https://belay.example.com\"\n").unwrap();
        options.config = Some(path);
    })
    .await;
    let token = world.token("bob", "role", "viewer").await;
    let headers = [FORM, ("host", "belay.example.com"), ("origin", "https://belay.example.com")];
    let answer = world.send("POST", "/login", "", &headers, format!("token={token}")).await;
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Host-belay=") && cookie.ends_with("; Secure"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let me = |host: &'static str| {
        let world = &world;
        async move { world.send("GET", "/api/v1/me", "", &[("cookie", cookie), ("host", host)], "").await.status.as_u16() }
    };
    assert_eq!((me("belay.example.com").await, me("127.0.0.1").await), (200, 401));
}

#[tokio::test]
async fn whoever_cannot_log_in_is_not_told_why_and_not_for_long() {
    let world = World::cheap().await;
    user(&world, "alice", "operator", &[]).await;
    user(&world, "carol", "viewer", &[]).await;
    let off = world.send("PATCH", "/api/v1/users/carol", &world.admin, &[], "{\"disabled\":true,\"reason\":\"left\"}").await;
    assert_eq!(off.status, 200, "{:?}", off.body);
    let mut bodies = Vec::new();
    for form in ["name=alice&password=wrong", "name=nobody&password=wrong", "name=carol&password=carol+has+a+password", "token=belay_x", ""]
    {
        let answer = login(&world, form).await;
        assert_eq!(answer.status, 403, "{form}");
        assert!(answer.header("set-cookie").is_empty());
        bodies.push(answer.body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    for _ in 0..9 {
        assert_eq!(login(&world, "name=alice&password=wrong").await.status, 403);
    }
    let shut = login(&world, "name=alice&password=alice+has+a+password").await;
    assert_eq!(shut.status, 429);
    assert!(shut.header("retry-after").parse::<u32>().unwrap() <= 601);
    world.advance(Duration::from_secs(601));
    assert_eq!(login(&world, "name=alice&password=alice+has+a+password").await.status, 303);
    let audit = world.see("/api/v1/audit").await.to_string();
    assert!(audit.contains("a login as \\\"alice\\\" from 127.0.0.1 was refused"), "{audit}");
    let name = "%3Cscript%3E%1b%5B31m%22";
    let answer = login(&world, &format!("name={name}&password=x&next=%22%3E%3Cscript%3E")).await;
    assert!(!String::from_utf8_lossy(&answer.body).contains("<script>"));
}

#[tokio::test]
async fn no_other_site_can_act_with_the_cookie() {
    let world = World::cheap().await;
    user(&world, "alice", "admin", &[]).await;
    let alice = enter_as(&world, "alice").await;
    let body = "{\"name\":\"t\",\"role\":\"viewer\"}";
    let own = world.url("");
    let (cookie, csrf) = (("cookie", alice.cookie.as_str()), ("x-belay-csrf", alice.csrf.as_str()));
    let foreign =
        [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example"), ("origin", "null")];
    for header in foreign {
        let answer = world.send("POST", "/api/v1/tokens", "", &[cookie, csrf, header], body).await;
        assert_eq!((answer.status.as_u16(), answer.json()["type"].as_str().unwrap()), (403, "urn:belay:problem:origin"), "{header:?}");
        let answer = world.send("POST", "/login", "", &[header, FORM], "name=alice&password=alice+has+a+password").await;
        assert_eq!(answer.status, 403, "nobody is logged in as somebody else: {header:?}");
        let basic = base64(&format!("any:{}", world.admin));
        let answer = world.send("POST", "/api/v1/tokens", "", &[("authorization", &basic), header], body).await;
        assert_eq!(answer.status, 403, "what a browser remembers counts no more: {header:?}");
    }
    assert_eq!(world.send("POST", "/api/v1/tokens", "", &[cookie, csrf], body).await.status, 403, "it does not say where from");
    assert_eq!(world.send("POST", "/api/v1/tokens", "", &[cookie, OWN], body).await.json()["type"], "urn:belay:problem:csrf");
    let wrong = ("x-belay-csrf", "0123456789abcdef0123456789abcdef");
    assert_eq!(world.send("POST", "/api/v1/tokens", "", &[cookie, OWN, wrong], body).await.status, 403);
    assert_eq!(world.send("POST", "/api/v1/tokens", "", &[cookie, csrf, ("origin", &own)], body).await.status, 201);
    assert_eq!(alice.send(&world, "POST", "/api/v1/tokens", body).await.status, 201);
    let basic = base64(&format!("any:{}", world.admin));
    assert_eq!(world.send("POST", "/api/v1/tokens", "", &[("authorization", &basic)], body).await.status, 201, "scripts say nothing");
}

fn base64(text: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(text))
}

#[tokio::test]
async fn a_session_ends_with_whatever_it_rests_on() {
    let world = World::cheap().await;
    user(&world, "root", "admin", &[]).await;
    user(&world, "alice", "operator", &[]).await;
    let set = |method: &'static str, path: &'static str, body: &'static str| {
        let world = &world;
        async move {
            let answer = world.send(method, path, &world.admin, &[], body).await;
            assert!(answer.status.is_success(), "{path}: {:?}", answer.body);
        }
    };
    let one = enter_as(&world, "alice").await;
    set("PATCH", "/api/v1/users/alice", "{\"role\":\"approver\"}").await;
    assert!(!one.stands(&world).await, "the role was changed");
    let one = enter_as(&world, "alice").await;
    set("PATCH", "/api/v1/users/alice", "{\"disabled\":true}").await;
    assert!(!one.stands(&world).await, "the account was disabled");
    set("PATCH", "/api/v1/users/alice", "{\"disabled\":false}").await;
    assert!(!one.stands(&world).await, "what ended stays ended");
    let one = enter_as(&world, "alice").await;
    let wrong = "{\"password\":\"another long password\",\"current\":\"not that\"}";
    assert_eq!(one.send(&world, "POST", "/api/v1/users/alice/password", wrong).await.status, 403);
    let short = "{\"password\":\"short\",\"current\":\"alice has a password\"}";
    assert_eq!(one.send(&world, "POST", "/api/v1/users/alice/password", short).await.status, 422);
    assert_eq!(one.send(&world, "POST", "/api/v1/users/root/password", short).await.status, 403);
    let right = "{\"password\":\"another long password\",\"current\":\"alice has a password\"}";
    let done = one.send(&world, "POST", "/api/v1/users/alice/password", right).await;
    assert_eq!(done.status, 200, "{:?}", done.body);
    assert!(!one.stands(&world).await, "the password was changed");
    assert_eq!(login(&world, "name=alice&password=alice+has+a+password").await.status, 403);
    let one = enter(&world, "name=alice&password=another+long+password").await;
    let sessions = world.see("/api/v1/sessions").await;
    assert_eq!((&sessions["items"][0]["user"], &sessions["items"][0]["from"]), (&"alice".into(), &"127.0.0.1".into()));
    let id = sessions["items"][0]["id"].as_str().unwrap();
    assert_eq!(world.send("DELETE", &format!("/api/v1/sessions/{id}"), &world.admin, &[], "").await.status, 204);
    assert!(!one.stands(&world).await, "an admin revoked it");
    let one = enter(&world, "name=alice&password=another+long+password").await;
    set("DELETE", "/api/v1/users/alice", "").await;
    assert!(!one.stands(&world).await, "the account was removed");

    let token = world.token("bob", "role", "viewer").await;
    let bob = enter(&world, &format!("token={token}")).await;
    set("DELETE", "/api/v1/tokens/bob", "").await;
    assert!(!bob.stands(&world).await, "the credential was revoked");
    let token = world.token("bob", "role", "viewer").await;
    let bob = enter(&world, &format!("token={token}")).await;
    world.token("bob", "role", "viewer").await;
    assert!(!bob.stands(&world).await, "the credential was issued anew");
}

#[tokio::test]
async fn a_session_outlives_a_restart_but_not_its_time() {
    let world = World::cheap().await;
    user(&world, "alice", "operator", &[]).await;
    let (idle, used) = (enter_as(&world, "alice").await, enter_as(&world, "alice").await);
    let world = world.again(cheap).await;
    for _ in 0..23 {
        world.advance(Duration::from_secs(1800));
        assert!(used.stands(&world).await);
        let seen = async || world.running.state().sessions.values().any(|session| session.seen == world.running.drive().now());
        super::world::until("it is noted that the session is used", seen).await;
    }
    assert!(idle.stands(&world).await);
    let world = world.again(cheap).await;
    world.advance(Duration::from_secs(12 * 3600));
    assert!(!used.stands(&world).await && !idle.stands(&world).await, "twelve hours unused");
    super::world::until("what is over is forgotten", async || world.running.state().sessions.is_empty()).await;
    let last = enter_as(&world, "alice").await;
    for hours in 0..7 * 24 {
        assert!(last.stands(&world).await, "{hours}");
        world.advance(Duration::from_secs(3600));
        let seen =
            async || !last.stands(&world).await || world.running.state().sessions.values().any(|s| s.seen == world.running.drive().now());
        super::world::until("it is noted that the session is used", seen).await;
    }
    assert!(!last.stands(&world).await, "seven days in all");
}

fn cheap(options: &mut belay_server::Options) {
    options.bounds.passwords = belay_server::http::passwords::Cost { memory_kib: 8, passes: 1 };
}
