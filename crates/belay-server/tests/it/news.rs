//! News: as a list, and as they happen, going on where a reader was.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::Value;

use super::catch::{configured, place};
use super::sessions::{enter_as, user};
use super::world::{World, client};

/// A reader of a stream.
struct Listener {
    body: hyper::body::Incoming,
    text: String,
}

impl Listener {
    async fn begin(world: &World, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut request = Request::get(world.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = client().request(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { body: answer.into_body(), text: String::new() }
    }

    async fn of_admin(world: &World, path: &str, extra: &[(&str, &str)]) -> Self {
        let bearer = format!("Bearer {}", world.admin);
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(extra);
        Self::begin(world, path, &headers).await
    }

    /// The next news.
    async fn next(&mut self) -> Value {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                if let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: ")) {
                    let news: Value = serde_json::from_str(data).unwrap();
                    assert!(event.contains(&format!("id: {}\ndata: ", news["seq"])), "{event}");
                    return news;
                }
                continue;
            }
            let frame = tokio::time::timeout(Duration::from_secs(10), self.body.frame()).await.expect("nothing came");
            let bytes = frame.expect("the stream ended").unwrap().into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// Waits until the stream ends.
    async fn ended(mut self) -> bool {
        let end = async { while self.body.frame().await.is_some_and(|frame| frame.is_ok()) {} };
        tokio::time::timeout(Duration::from_secs(20), end).await.is_ok()
    }
}

#[tokio::test]
async fn whoever_listens_is_told_as_it_happens_and_goes_on_where_it_was() {
    let world = configured().await;
    let mut live = Listener::of_admin(&world, "/api/v1/events", &[]).await;
    let mut of_class = Listener::of_admin(&world, "/api/v1/events?class=other", &[]).await;
    assert_eq!(world.send("POST", "/api/v1/holds", &world.admin, &[], place()).await.status, 201);
    let placed = live.next().await;
    assert_eq!((&placed["kind"], &placed["hold"], &placed["class"]), (&"hold-placed".into(), &"h-1".into(), &"web".into()));
    assert!(placed["text"].as_str().unwrap().starts_with("admin placed h-1 on hosts web01, hosts web02 until"), "{placed}");
    drop(live);
    let released = world.send("POST", "/api/v1/holds/h-1/release", &world.admin, &[], "{\"reason\":\"done\"}").await;
    assert_eq!(released.status, 200);
    let seen = placed["seq"].to_string();
    let mut again = Listener::of_admin(&world, "/api/v1/events?since=0", &[("last-event-id", &seen)]).await;
    let ended = again.next().await;
    assert_eq!((&ended["kind"], &ended["hold"]), (&"hold-ended".into(), &"h-1".into()), "nothing is missed, nothing told twice");
    let mut whole = Listener::of_admin(&world, "/api/v1/events?since=0&class=web", &[]).await;
    assert_eq!((whole.next().await, whole.next().await), (placed.clone(), ended.clone()));
    world.send("POST", "/api/v1/holds", &world.admin, &[], "{\"classes\":[\"web\"],\"reason\":\"x\",\"for\":\"1h\"}").await;
    assert_eq!(again.next().await["hold"], "h-2");
    let quiet = tokio::time::timeout(Duration::from_millis(300), of_class.next()).await;
    assert!(quiet.is_err(), "what is about another class is not told");

    let list = world.see("/api/v1/news?limit=2").await;
    assert_eq!((&list["items"][0]["hold"], &list["items"][1]), (&"h-2".into(), &ended));
    let rest = world.see(&format!("/api/v1/news?after={}", list["next"].as_str().unwrap())).await;
    assert_eq!(rest["items"], Value::Array(vec![placed.clone()]));
    let since = world.see(&format!("/api/v1/news?since={seen}&limit=1")).await;
    assert_eq!((&since["items"][0], since["next"].as_str().unwrap()), (&ended, ended["seq"].to_string().as_str()));
    assert_eq!(world.see("/api/v1/news?host=web09").await["items"].as_array().unwrap().len(), 0);
    let world = world.again(|_| {}).await;
    let mut after = Listener::of_admin(&world, "/api/v1/events", &[("last-event-id", &seen)]).await;
    assert_eq!(after.next().await, ended, "and a restart loses nothing");
}

#[tokio::test]
async fn a_stream_ends_with_the_server_and_with_its_session() {
    let world = World::cheap().await;
    user(&world, "alice", "viewer", &[]).await;
    let alice = enter_as(&world, "alice").await;
    let one = Listener::begin(&world, "/api/v1/events", &[("cookie", &alice.cookie)]).await;
    assert_eq!(world.send("DELETE", "/api/v1/users/alice", &world.admin, &[], "").await.status, 204);
    assert!(one.ended().await, "within a heartbeat");
    let other = Listener::of_admin(&world, "/api/v1/events", &[]).await;
    let stopping = std::time::Instant::now();
    world.running.shutdown().await;
    assert!(stopping.elapsed() < Duration::from_secs(5), "nobody waits for those who only listen");
    assert!(other.ended().await);
}

#[tokio::test]
async fn a_change_and_its_verdict_are_told_in_plain_words() {
    let world = World::cheap().await;
    for (_, input) in super::story::inputs() {
        world.running.drive().decide(input, belay_server::drive::Keep::default()).await.unwrap();
    }
    let reject = world.send("POST", "/api/v1/changes/c-1/reject", &world.admin, &[], "{\"reason\":\"it broke the login\"}").await;
    assert_eq!(reject.status, 200, "{:?}", reject.body);
    let news = world.see("/api/v1/news?since=0").await;
    let of = |kind: &str| news["items"].as_array().unwrap().iter().find(|news| news["kind"] == kind).unwrap_or_else(|| panic!("{news}"));
    assert!(of("change-opened")["text"].as_str().unwrap().contains(" came to class web"), "{news}");
    let ruled = |news: &&Value| news["text"] == "c-1 rejected by admin: it broke the login";
    let ruled = news["items"].as_array().unwrap().iter().find(ruled).unwrap_or_else(|| panic!("{news}"));
    assert_eq!((&ruled["kind"], &ruled["change"], &ruled["class"]), (&"verdict".into(), &"c-1".into(), &"web".into()));
}
