//! The table of routes.

use axum::http::Method;
use belay_adapters::{sources, tools};

use super::auth::May;
use super::handlers::{
    PAGED, audit, backup, catch, changes, deployments, facade, health, hosts, issuer, login, news, people, reports, run_health, runs,
    samples, users,
};
use super::route::{Entry, Media, Param, Route, at};

/// All routes.
pub(super) fn routes() -> Vec<Route> {
    let mut routes = doors();
    routes.extend(own());
    routes.extend(crate::web::routes());
    routes.extend(entering());
    for (number, root) in sources::facade_roots().iter().enumerate() {
        routes.extend(facade(root, number));
    }
    routes
}

fn get(path: &str, id: &str, summary: &str) -> Entry {
    at(Method::GET, path, id, May::Viewer, summary)
}

/// The doors by which reports come in: the tools say where.
fn doors() -> Vec<Route> {
    let feeds = tools::all_feeds().iter().flat_map(|feed| feed.doors()).enumerate();
    let feeds = feeds.map(|(number, door)| {
        let summary = format!("Takes what is sent to {}. 200 as soon as it is durable; it is read afterwards.", door.feed);
        let entry = at(Method::POST, door.path, format!("message_{}_{number}", door.feed), May::Reporter, summary);
        entry.raw(Media::Bytes(door.content), Media::Bytes(&["application/json"]), *door, reports::message)
    });
    let doors = tools::all().iter().flat_map(|tool| tool.doors()).enumerate();
    let doors = doors.map(|(number, door)| {
        let summary = format!("Takes a report of {}. 200 when it is decided, 202 when it is durable and will be read later.", door.tool);
        let entry = at(Method::POST, door.path, format!("report_{}_{number}", door.tool), May::Reporter, summary);
        entry.raw(Media::Bytes(door.content), Media::Json(super::route::shape::<belay_api::http::RunAnswer>()), *door, reports::report)
    });
    doors.chain(feeds).collect()
}

fn own() -> Vec<Route> {
    let mut routes = looking();
    routes.extend(holding());
    routes.extend([
        at(Method::GET, "/healthz", "healthz", May::Anyone, "Whether the server works.").raw(
            Media::None,
            Media::Bytes(&["text/plain"]),
            (),
            health::healthz,
        ),
        at(Method::GET, "/api/v1/openapi.json", "openapi", May::Anyone, "This document.").raw(
            Media::None,
            Media::Bytes(&["application/json"]),
            (),
            health::openapi,
        ),
        at(Method::POST, "/api/v1/selfcheck", "start_selfcheck", May::Operator, "Checks the judge on trials in which nothing changed.")
            .takes(health::start_selfcheck),
        at(Method::PUT, "/api/v1/hosts/{host}/facts", "set_facts", May::Reporter, "Sets a host's facts and the release it runs.")
            .takes(reports::facts),
        at(Method::POST, "/api/v1/changes/{id}/accept", "accept", May::Approver, "A person says that a Change is good.")
            .takes(changes::accept),
        at(Method::POST, "/api/v1/changes/{id}/reject", "reject", May::Approver, "A person says that a Change is bad.")
            .takes(changes::reject),
        at(Method::POST, "/api/v1/backup", "back_up", May::Admin, "Takes a backup: all there is, as one file.").raw(
            Media::None,
            Media::Bytes(&["application/gzip"]),
            (),
            backup::take,
        ),
        at(Method::GET, "/api/v1/tokens", "tokens", May::Admin, "All credentials, without their secrets.").lists(people::list),
        at(Method::POST, "/api/v1/tokens", "issue_token", May::Admin, "Issues a credential; its secret is shown this once.")
            .secret()
            .takes(people::issue),
        at(Method::DELETE, "/api/v1/tokens/{name}", "revoke_token", May::Admin, "Ends a credential.").raw(
            Media::None,
            Media::None,
            (),
            people::revoke,
        ),
    ]);
    routes
}

/// How people come in and go, and who they are.
fn entering() -> Vec<Route> {
    let admin = |method, path: &str, id: &str, summary: &str| at(method, path, id, May::Admin, summary);
    vec![
        at(Method::GET, "/api/v1/me", "me", May::Viewer, "Who one is oneself.").gives(users::me),
        admin(Method::GET, "/api/v1/users", "users", "Accounts of people, by name.").query(&users::LIST).lists(users::list),
        admin(Method::POST, "/api/v1/users", "add_user", "Makes an account.").secret().takes(users::add),
        admin(Method::PATCH, "/api/v1/users/{name}", "alter_user", "Alters an account; its sessions end.").takes(users::alter),
        admin(Method::DELETE, "/api/v1/users/{name}", "remove_user", "Removes an account; its sessions end.").query(&users::REMOVE).raw(
            Media::None,
            Media::None,
            (),
            users::remove,
        ),
        at(Method::POST, "/api/v1/users/{name}/password", "set_password", May::Viewer, "Sets a password: one's own, or any as an admin.")
            .secret()
            .takes(users::password),
        admin(Method::GET, "/api/v1/sessions", "sessions", "Sessions of people, the last used first.")
            .query(&users::LIST)
            .lists(users::sessions),
        admin(Method::DELETE, "/api/v1/sessions/{id}", "revoke_session", "Ends a session.").raw(
            Media::None,
            Media::None,
            (),
            users::revoke,
        ),
        at(Method::GET, "/login", "login_page", May::Anyone, "The page on which people log in.").query(&login::LOGIN).page(login::page),
        at(Method::POST, "/login", "login", May::Anyone, "Begins a session.").form(login::enter),
        at(Method::GET, "/login/issuer", "login_issuer", May::Anyone, "Sends people to the identity provider.")
            .query(&login::LOGIN)
            .page(issuer::go),
        at(Method::GET, "/login/issuer/back", "login_issuer_back", May::Anyone, "Takes people who come back from the identity provider.")
            .query(&issuer::BACK)
            .page(issuer::back),
        at(Method::POST, "/logout", "logout", May::Viewer, "Ends the session.").form(login::leave),
    ]
}

/// The catch: what people ask of it, and what hosts do.
fn holding() -> Vec<Route> {
    let post = |path: &str, id: &str, may, summary: &str| at(Method::POST, path, id, may, summary);
    vec![
        get("/api/v1/holds", "holds", "Holds, oldest first.").query(&catch::HOLDS).lists(catch::holds),
        get("/api/v1/holds/{id}", "hold", "A hold with all that is known of it.").marked().gives(catch::hold),
        post("/api/v1/holds", "place_hold", May::Operator, "Places a hold, or makes one of a foreign lock.").marked().takes(catch::place),
        post("/api/v1/holds/{id}/extend", "extend_hold", May::Operator, "Lets a hold last longer.").marked().takes(catch::extend),
        post("/api/v1/holds/{id}/release", "release_hold", May::Operator, "Ends a hold.").marked().takes(catch::release),
        get("/api/v1/pins", "pins", "Hosts that are fixed to an environment.").lists(catch::pins),
        post("/api/v1/pins", "pin", May::Approver, "Fixes hosts to an environment for a time, or ends that.").takes(catch::pin),
        get("/api/v1/deployments", "deployments", "Deployments that were published or noticed, and how each stands.")
            .lists(deployments::list),
        post("/api/v1/deployments", "publish", May::Operator, "Offers a deployment to the hosts of its branch, wave by wave.")
            .takes(deployments::publish),
        post("/api/v1/deployments/{environment}/withdraw", "withdraw", May::Operator, "Offers a deployment no more.")
            .takes(deployments::withdraw),
        post("/api/v1/agent/deployments", "deployed", May::Reporter, "A relay tells what is deployed on its machine.")
            .takes(deployments::told),
        get("/api/v1/changes/{id}/revert", "plan_revert", "What taking a Change back would do.").gives(catch::plan),
        post("/api/v1/changes/{id}/revert", "revert", May::Operator, "Takes a Change back.").takes(catch::revert),
        get("/api/v1/reverts", "reverts", "Reverts, newest first.").lists(catch::reverts),
        get("/api/v1/reverts/{id}", "one_revert", "A revert with how far each host is.").gives(catch::one_revert),
        post("/api/v1/reverts/{id}/stop", "stop_revert", May::Operator, "Stops a revert where it is.").takes(catch::stop_revert),
        get("/api/v1/gate/{host}", "gate", "What the gate would answer for a host now.").query(&catch::GATE).gives(catch::ask_gate),
        post("/api/v1/agent/policies", "policies", May::Reporter, "What a relay needs to classify the hosts it speaks for.")
            .takes(catch::policies),
        post("/api/v1/agent/poll", "poll", May::Reporter, "A host tells what stands there, and gets its policy.").takes(catch::poll),
    ]
}

fn looking() -> Vec<Route> {
    vec![
        get("/api/v1/status", "status", "The whole at one glance.").gives(health::status),
        get("/api/v1/lint", "lint", "Whether the declared signals have data.").gives(health::lint),
        get("/api/v1/health", "run_health", "Which hosts configuration management is not well on, and why.")
            .query(&run_health::ASK)
            .gives(run_health::view),
        get("/metrics", "metrics", "Belay and the health of runs, as numbers for monitoring.").raw(
            Media::None,
            Media::Bytes(&["text/plain"]),
            (),
            run_health::metrics,
        ),
        get("/api/v1/doctor", "doctor", "Whether Belay itself is in order.").gives(health::doctor),
        get("/api/v1/selfcheck", "selfcheck", "How often the judge rejects where nothing had changed.").gives(health::selfcheck),
        get("/api/v1/hosts", "hosts", "Hosts, by name.").query(&hosts::LIST).lists(hosts::list),
        get("/api/v1/hosts/{host}", "host", "A host as it is now.").gives(hosts::view),
        get("/api/v1/hosts/{host}/diff", "host_diff", "What a host was offered last, beside what it has.").gives(hosts::offered),
        get("/api/v1/runs", "runs", "Runs, newest first.").query(&runs::LIST).lists(runs::list),
        get("/api/v1/runs/{id}", "run", "A run with what it did.").gives(runs::view),
        get("/api/v1/changes", "changes", "Changes, newest first.").query(&changes::LIST).lists(changes::list),
        get("/api/v1/changes/{id}", "change", "A Change with its trial.").gives(changes::view),
        get("/api/v1/changes/{id}/evidence", "evidence", "The windows a verdict rests on.").raw(
            Media::None,
            Media::Bytes(&["application/json"]),
            (),
            changes::evidence,
        ),
        get("/api/v1/plan", "plan", "What would come to whom next, of every open Change, oldest first.")
            .query(&changes::PLAN)
            .lists(changes::plan),
        get("/api/v1/why/{subject}", "why", "Why a Change or a host stands as it does.").gives(audit::explain),
        get("/api/v1/alerts", "alerts", "Alerts that are on their way or were given up, newest first.").query(&PAGED).lists(audit::alerts),
        get("/api/v1/quarantine", "quarantine", "What could not be taken, newest first.").query(&PAGED).lists(audit::quarantine),
        get("/api/v1/news", "news", "What happened that is worth showing, newest first.").query(&news::LIST).lists(news::list),
        get("/api/v1/events", "events", "The same as it happens: server-sent events, each a `NewsView` with its number as the id.")
            .query(&news::EVENTS)
            .raw(Media::None, Media::Bytes(&["text/event-stream"]), (), news::events),
        get("/api/v1/audit", "audit", "Who did what, newest first.").query(&audit::AUDIT).lists(audit::audit),
    ]
}

const QUERY: [Param; 2] = [
    Param { name: "query", about: "A selector, for raw samples with a range: `m{host=\"a\"}[300s]`." },
    Param { name: "time", about: "When; now when left out." },
];
const RANGE: [Param; 4] = [
    Param { name: "query", about: "A selector." },
    Param { name: "start", about: "The first step." },
    Param { name: "end", about: "The last step." },
    Param { name: "step", about: "Length of a step." },
];
const MATCH: [Param; 3] = [
    Param { name: "match[]", about: "A selector of series; may be given several times." },
    Param { name: "start", about: "Only series with samples since then." },
    Param { name: "end", about: "Only series with samples until then." },
];

/// The store of signals in the words that monitoring tools speak.
fn facade(root: &str, number: usize) -> Vec<Route> {
    let json = Media::Bytes(&["application/json"]);
    let form = Media::Bytes(&["application/x-www-form-urlencoded"]);
    let path = |name: &str| format!("{root}/{name}");
    let id = |name: &str| format!("signals_{name}_{number}");
    let write = at(Method::POST, path("write"), id("write"), May::SourceOfSignals, "Takes samples.");
    let mut routes = vec![write.raw(Media::Bytes(&["application/x-protobuf"]), Media::None, (), samples::write)];
    for (method, verb, takes) in [(Method::GET, "get", Media::None), (Method::POST, "post", form)] {
        let entry = |name: &str, summary: &str| at(method.clone(), path(name), id(&format!("{name}_{verb}")), May::Viewer, summary);
        routes.extend([
            entry("query", "Samples of a selector at one time.").query(&QUERY).raw(takes, json, (), facade::query),
            entry("query_range", "Values of a selector, step by step.").query(&RANGE).raw(takes, json, (), facade::query_range),
            entry("series", "Series by selector.").query(&MATCH).raw(takes, json, (), facade::series),
            entry("labels", "Names of labels.").query(&MATCH).raw(takes, json, (), facade::labels),
        ]);
    }
    let values = at(Method::GET, path("label/{name}/values"), id("label_values"), May::Viewer, "Values of a label.");
    routes.push(values.query(&MATCH).raw(Media::None, json, (), facade::label_values));
    routes
}
