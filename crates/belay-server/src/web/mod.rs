//! Pages: what people see, made here in full from the same views as the API. A page works without a script; the one
//! there is keeps it fresh. Every value is escaped by [`inert::Visible`], and no page loads anything from elsewhere.

mod acts;
pub(crate) mod assets;
mod change;
mod changes;
mod csv;
mod evidence;
mod holds;
mod home;
mod hosts;
pub(crate) mod inert;
mod matrix;
mod once;
mod plot;
mod rollout;
mod settings;
mod shell;
mod signals;
mod told;
mod words;

use axum::http::Method;
use belay_core::decide::Ruling;

use crate::http::auth::May;
use crate::http::route::{Entry, Route, at};
use acts::Whom;

/// The pages, and what their forms do.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = looking();
    routes.extend(acting());
    let loaded = |asset: assets::Asset| at(Method::GET, asset.path(), asset.path(), May::Anyone, "What pages load.");
    routes.extend([
        loaded(assets::CSS).page(|call| assets::give(call, assets::CSS)),
        loaded(assets::JS).page(|call| assets::give(call, assets::JS)),
        loaded(assets::SVG).page(|call| assets::give(call, assets::SVG)),
    ]);
    routes
}

fn see(path: &str, may: May) -> Entry {
    at(Method::GET, path, format!("page {path}"), may, "A page for people.")
}

fn act(path: &str, may: May) -> Entry {
    at(Method::POST, path, format!("form {path}"), may, "What a form of a page does.")
}

fn looking() -> Vec<Route> {
    let see = |path: &str| see(path, May::Viewer);
    vec![
        see("/").page(home::home),
        see("/changes").page(changes::list),
        see("/changes/{id}").page(change::change),
        see("/changes/{id}/signals/{signal}").page(change::csv),
        see("/changes/{id}/rollout").page(rollout::rollout),
        see("/matrix").page(matrix::matrix),
        see("/hosts").page(hosts::list),
        see("/hosts/{host}").page(hosts::host),
        see("/runs/{id}").page(hosts::run),
        see("/holds").page(holds::list),
        see("/holds/{id}").page(holds::hold),
        see("/reverts/{id}").page(holds::revert),
        see("/signals").page(signals::signals),
        see("/alerts").page(told::alerts),
        see("/alerts/one").page(told::one),
        see("/audit").page(told::audit),
        see("/audit.csv").page(told::audit_csv),
        see("/settings").page(settings::settings),
        see("/settings/people").page(settings::people),
    ]
}

/// Each act has a page that says what it would do, and a form that does it, for the same people.
fn acting() -> Vec<Route> {
    const ACTS: May = May::Operator;
    const DECIDES: May = May::Approver;
    vec![
        act("/theme", May::Viewer).form(settings::theme),
        act("/settings/sessions/{id}/end", May::Viewer).form(settings::end_session),
        see("/holds/new", ACTS).page(acts::ask_new_hold),
        act("/holds/new", ACTS).form(acts::do_new_hold),
        act("/holds/{id}/extend", ACTS).form(holds::extend),
        act("/holds/{id}/release", ACTS).form(holds::release),
        act("/reverts/{id}/stop", ACTS).form(holds::stop_revert),
        see("/changes/{id}/revert", ACTS).page(acts::ask_revert),
        act("/changes/{id}/revert", ACTS).form(acts::do_revert),
        see("/changes/{id}/stop", ACTS).page(|call| acts::ask_hold(call, Whom::Others)),
        act("/changes/{id}/stop", ACTS).form(|call, filled| acts::do_hold(call, filled, Whom::Others)),
        see("/changes/{id}/hold", ACTS).page(|call| acts::ask_hold(call, Whom::Changed)),
        act("/changes/{id}/hold", ACTS).form(|call, filled| acts::do_hold(call, filled, Whom::Changed)),
        see("/changes/{id}/accept", DECIDES).page(|call| acts::ask_ruling(call, Ruling::Accept)),
        act("/changes/{id}/accept", DECIDES).form(|call, filled| acts::do_ruling(call, filled, Ruling::Accept)),
        see("/changes/{id}/reject", DECIDES).page(|call| acts::ask_ruling(call, Ruling::Reject)),
        act("/changes/{id}/reject", DECIDES).form(|call, filled| acts::do_ruling(call, filled, Ruling::Reject)),
    ]
}
