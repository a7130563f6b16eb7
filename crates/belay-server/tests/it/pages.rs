//! Pages: every one is served, says who may not see it, loads nothing from elsewhere, and obeys nothing that a machine or a
//! person wrote.

use axum::http::StatusCode;
use belay_server::http::{Kind, listed};

use super::world::{World, report_of};

/// Text that a page, a terminal or a spreadsheet would obey, were it let.
const HOSTILE: &str = "<script>alert(1)</script>\" onload=\"x' \u{202e}exe.txt\u{1b}[31m =cmd()";

/// What a name may hold at worst.
const NAME: &str = "<img-src=x-onerror=alert(1)>";

const CONFIG: &str = "[[class]]\nname = \"web\"\nhosts = [\"*\"]\nrelease = { fact = \"app\" }\nenvironments = { \"141\" = \"production\" }\nenforce = \"rejected\"\n\
    [[signal]]\nname = \"requests\"\nkind = \"flow\"\nmust_have = true\nselect = \"requests_total\"\n";

/// A world with a host, a run, a Change, a hold, and hostile text wherever text is taken.
async fn lived() -> World {
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), CONFIG).unwrap();
    let world = World::with(|options| options.config = Some(config.path().to_owned())).await;
    for (nth, host) in ["web01", "web02", "web03"].iter().enumerate() {
        let body = serde_json::json!({"facts": {"app": "141", "note": HOSTILE}}).to_string();
        let answer = world.send("PUT", &format!("/api/v1/hosts/{host}/facts"), &world.relay, &[], body).await;
        assert!(answer.status.is_success(), "{:?}", answer.body);
        let first = world.report(report_of("changed-first-run", host, 10 + nth as u32)).await;
        assert!(first.status.is_success(), "{:?}", first.body);
    }
    let hold =
        serde_json::json!({"hosts": ["web0*"], "reason": HOSTILE, "ticket": HOSTILE, "contact": HOSTILE, "owner": HOSTILE, "for": "4h"});
    let placed = world.send("POST", "/api/v1/holds", &world.admin, &[], hold.to_string()).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{:?}", placed.body);
    let pin = serde_json::json!({"hosts": ["web01"], "environment": "production", "for": "1h", "reason": HOSTILE});
    let pinned = world.send("POST", "/api/v1/pins", &world.admin, &[], pin.to_string()).await;
    assert!(pinned.status.is_success(), "{:?}", pinned.body);
    world.token(NAME, "role", "viewer").await;
    world
}

/// The pages there are, each with things that exist in the world.
fn pages() -> Vec<String> {
    let shown = listed().into_iter().filter(|route| route.kind == Kind::Page && !route.path.starts_with("/assets"));
    let named = |path: String| {
        path.replace("/hosts/{host}", "/hosts/web01")
            .replace("/holds/{id}", "/holds/h-1")
            .replace("/runs/{id}", "/runs/run-1")
            .replace("/alerts/one", "/alerts/one?about=h-1")
    };
    // Of a Change and of a revert there is none here: the browser's tests look at theirs.
    shown.map(|route| named(route.path)).filter(|path| !path.contains('{') && !path.starts_with("/login")).collect()
}

#[tokio::test]
async fn every_page_is_served_whole_from_here_and_obeys_no_text() {
    let world = lived().await;
    let pages = pages();
    assert!(pages.len() >= 15, "{pages:?}");
    for path in pages {
        let answer = world.get(&path).await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert_eq!(answer.status, 200, "{path}: {text}");
        if path.ends_with(".csv") {
            continue;
        }
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert!(!text.contains("<img") && !text.contains("<script>alert") && !text.contains("\" onload"), "{path} holds markup of a value");
        assert!(!text.contains(['\u{202e}', '\u{1b}']), "{path} holds characters that are not seen");
        for part in text.split(['"', '\'']).filter(|part| part.contains("://")) {
            assert!(!part.starts_with("http"), "{path} leads elsewhere: {part}");
        }
        assert_eq!(text.matches("<h1").count(), 1, "{path}");
    }
}

#[tokio::test]
async fn hostile_text_is_shown_as_it_is_written() {
    let world = lived().await;
    let shown = "&#60;script&#62;alert(1)&#60;/script&#62;&#34; onload=&#34;x&#39; \\u{202e}exe.txt\\x1b[31m =cmd()";
    for path in ["/holds/h-1", "/holds", "/", "/hosts/web01", "/audit", "/alerts/one?about=h-1"] {
        let text = String::from_utf8(world.get(path).await.body.to_vec()).unwrap();
        assert!(text.contains(shown), "{path}: {text}");
    }
}

#[tokio::test]
async fn what_a_spreadsheet_would_obey_is_quoted() {
    let world = lived().await;
    let text = String::from_utf8(world.get("/audit.csv").await.body.to_vec()).unwrap();
    assert!(text.starts_with("seq,at,kind,fact,actor,host,text\n"), "{text}");
    for line in text.lines() {
        assert!(!line.contains(['\u{202e}', '\u{1b}']) && !line.contains(",=") && !line.contains(",+") && !line.contains(",@"), "{line}");
    }
    assert!(text.contains("\"\" onload=\"\"x'"), "quotes are doubled: {text}");
}

#[tokio::test]
async fn a_page_is_for_those_who_may_and_an_act_for_those_who_may_act() {
    let world = lived().await;
    let viewer = world.token("eve", "role", "viewer").await;
    let nobody = world.send("GET", "/holds/h-1", "", &[], "").await;
    assert_eq!((nobody.status, nobody.header("location")), (StatusCode::SEE_OTHER, "/login?next=/holds/h-1"));
    let seen = world.send("GET", "/holds/h-1", &viewer, &[], "").await;
    let text = String::from_utf8(seen.body.to_vec()).unwrap();
    assert!(seen.status == 200 && !text.contains("<form class=\"ask\""), "a viewer gets no form to act with");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for path in ["/holds/h-1/release", "/holds/h-1/extend", "/holds/new"] {
        let refused = world.send("POST", path, &viewer, &form, "reason=x&for=1h&hosts=web01").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        assert!(refused.header("content-type").starts_with("text/html"), "{path}: people are told in HTML");
    }
    // To look is to ask, and does nothing: mail scanners follow links.
    for path in ["/holds/new?hosts=web01&reason=x&for=1h&confirm=1", "/changes/c-1/accept?reason=x", "/theme?theme=dark"] {
        world.send("GET", path, &world.admin, &[], "").await;
    }
    assert_eq!(world.see("/api/v1/holds").await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_hold_is_placed_extended_and_released_by_forms() {
    let world = lived().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let wrong = world.send("POST", "/holds/new", &world.admin, &form, "hosts=web01&for=soon&reason=x").await;
    let text = String::from_utf8(wrong.body.to_vec()).unwrap();
    assert!(
        wrong.status == 422 && text.contains("role=\"alert\"") && text.contains("value=\"soon\""),
        "what was typed is there again: {text}"
    );
    let placed = world.send("POST", "/holds/new", &world.admin, &form, "hosts=web01%2C+web02&for=2h&reason=tried").await;
    assert_eq!((placed.status, placed.header("location")), (StatusCode::SEE_OTHER, "/holds/h-2"));
    let stale = world.send("POST", "/holds/h-2/extend", &world.admin, &form, "for=8h&seen=7").await;
    assert_eq!(stale.status, StatusCode::UNPROCESSABLE_ENTITY, "somebody else altered it meanwhile");
    let extended = world.send("POST", "/holds/h-2/extend", &world.admin, &form, "for=8h&seen=1").await;
    assert_eq!(extended.status, StatusCode::SEE_OTHER);
    let released = world.send("POST", "/holds/h-2/release", &world.admin, &form, "reason=done&seen=2").await;
    assert_eq!(released.status, StatusCode::SEE_OTHER);
    assert_eq!(world.see("/api/v1/holds/h-2").await["state"], "released");
}

/// The one-time value of a form.
fn one_time(page: &[u8]) -> String {
    let text = std::str::from_utf8(page).unwrap();
    let (_, rest) = text.split_once("name=\"once\" value=\"").expect("the form has a one-time value");
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_hold_form_that_is_sent_twice_places_one_hold() {
    let world = lived().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let holds = async || world.see("/api/v1/holds").await["items"].as_array().unwrap().len();
    let (path, before) = ("/holds/new", holds().await);
    let shown = world.send("GET", path, &world.admin, &[], "").await;
    let body = format!("once={}&hosts=web01&for=2h&reason=tried", one_time(&shown.body));
    let press = || world.send("POST", path, &world.admin, &form, body.clone());
    let (first, second) = tokio::join!(press(), press());
    assert_eq!((first.status, second.status), (StatusCode::SEE_OTHER, StatusCode::SEE_OTHER), "{:?}", first.body);
    assert_eq!(first.header("location"), second.header("location"), "both are shown the same hold");
    assert_eq!(press().await.header("location"), first.header("location"), "and so is a third");
    assert_eq!(holds().await, before + 1);
    let altered = world.send("POST", path, &world.admin, &form, body.replace("tried", "another")).await;
    assert_ne!(altered.header("location"), first.header("location"), "who goes back and alters it asks for another");
    assert_eq!(holds().await, before + 2);
    let anew = one_time(&world.send("GET", path, &world.admin, &[], "").await.body);
    assert!(!body.contains(&anew), "each form has its own");
    // What is refused may be put right and sent again from the same form.
    let once = one_time(&world.send("GET", "/holds/new", &world.admin, &[], "").await.body);
    let nobody = format!("once={once}&hosts=nobody&for=2h&reason=x");
    for _ in 0..2 {
        assert_eq!(world.send("POST", "/holds/new", &world.admin, &form, nobody.clone()).await.status, 422);
    }
    let right = world.send("POST", "/holds/new", &world.admin, &form, nobody.replace("nobody", "web01")).await;
    assert_eq!(right.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn what_pages_load_is_kept_by_its_name() {
    let world = World::start().await;
    let login = String::from_utf8(world.send("GET", "/login", "", &[], "").await.body.to_vec()).unwrap();
    let path = login.split('"').find(|part| part.starts_with("/assets/") && part.ends_with(".css")).unwrap().to_owned();
    let style = world.send("GET", &path, "", &[], "").await;
    assert_eq!(style.status, 200);
    assert!(style.header("cache-control").contains("immutable") && style.header("content-type").starts_with("text/css"));
    let other = world.send("GET", "/assets/0123456789ab/belay.css", "", &[], "").await;
    assert_eq!(other.header("cache-control"), "no-store", "an old name never keeps a new file");
}
