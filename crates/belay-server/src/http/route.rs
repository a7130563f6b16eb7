//! Routes as values: method, path, who may, schemas and handler, each said once. From the table
//! come the router *and* the OpenAPI document, so neither can exist without the other; every endpoint
//! goes through the guard, before any handler.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawPathParams, State as Shared};
use axum::http::{self, HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use axum::routing::{MethodFilter, MethodRouter, on};
use belay_api::http::Page;
use belay_core::model::ids::Digest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::auth::{Credential, May, SessionInfo, Who};
use super::body::Held;
use super::guard::{Rules, guard};
use super::mark;
use super::once::{self, Once, Sent};
use super::refusal::Refusal;
use super::{App, html};
use crate::ledger::Request;

/// What forms are sent as.
const FORM_TYPE: &str = "application/x-www-form-urlencoded";
const FORM: Media = Media::Bytes(&[FORM_TYPE]);
const HTML: Media = Media::Bytes(&["text/html"]);
/// The largest form.
const FORM_MAX: usize = 64 << 10;

/// A request that may go on.
pub struct Call {
    /// The server.
    pub app: Arc<App>,
    /// The method.
    pub method: Method,
    /// Who asks.
    pub who: Who,
    /// The session by whose cookie, where it is by one.
    pub session: Option<SessionInfo>,
    /// By what it was let in.
    pub credential: Credential,
    /// The host that the certificate of its connection was issued to, where it shows one that counts.
    pub certified: Option<belay_core::model::ids::HostId>,
    /// From where, where the network says so.
    pub from: Option<IpAddr>,
    /// The path.
    pub path: String,
    /// Parts of the path.
    pub params: BTreeMap<String, String>,
    /// Parameters of the query; the last of several of one name, except where all are asked for.
    pub query: Vec<(String, String)>,
    /// The query as it was sent.
    pub raw_query: String,
    /// Headers.
    pub headers: HeaderMap,
    /// The body, not yet read.
    pub body: Unread,
}

/// A body that nobody has read yet. It is not shared; the lock only lets what holds it be looked at from several threads.
pub type Unread = std::sync::Mutex<Body>;

/// A parameter of the query.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// A schema by name, with the ones it refers to.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Its name.
    pub name: fn() -> Cow<'static, str>,
    /// The schema.
    pub schema: fn() -> RefOr<Schema>,
    /// The ones it refers to.
    pub nested: fn(&mut Vec<(String, RefOr<Schema>)>),
}

/// What a body is, or an answer.
#[derive(Clone, Copy)]
pub enum Media {
    /// Nothing.
    None,
    /// JSON of this shape.
    Json(Shape),
    /// Bytes of these media types.
    Bytes(&'static [&'static str]),
}

/// For whom a route is: that decides how it is refused, and what it takes to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Programs: problems are JSON, and whoever acts by a cookie sends the header `x-belay-csrf`.
    Api,
    /// People who look: whoever is not known is sent to the login.
    Page,
    /// People who act: the form holds the field `csrf` where there is a session.
    Form,
}

pub(super) type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Refusal>> + Send>>;
pub(super) type Handler = Arc<dyn Fn(Call) -> Answering + Send + Sync>;

/// A route.
#[derive(Clone)]
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path, with `{names}` for parts.
    pub path: String,
    /// Its name, unique.
    pub id: String,
    /// What it does, in one line.
    pub summary: String,
    /// Who may use it.
    pub may: May,
    /// Parameters of the query.
    pub query: &'static [Param],
    /// What it takes.
    pub takes: Media,
    /// What it gives.
    pub gives: Media,
    /// For whom it is.
    pub kind: Kind,
    /// What is remembered of a request with a key.
    pub once: Once,
    /// Whether the answer carries the mark of what was seen.
    pub marked: bool,
    handler: Handler,
}

/// An answer with its status, where it is not 200.
pub struct Reply<T>(pub StatusCode, pub T);

impl<T> From<T> for Reply<T> {
    fn from(value: T) -> Self {
        Self(StatusCode::OK, value)
    }
}

/// The shape of a type.
pub fn shape<T: ToSchema>() -> Shape {
    Shape { name: T::name, schema: T::schema, nested: T::schemas }
}

/// A route whose handler is not yet known.
pub struct Entry {
    method: Method,
    path: String,
    id: String,
    may: May,
    summary: String,
    query: &'static [Param],
    secret: bool,
    marked: bool,
}

/// Begins a route: how it is reached, what it is called, who may, what it does.
pub fn at(method: Method, path: impl Into<String>, id: impl Into<String>, may: May, summary: impl Into<String>) -> Entry {
    Entry { method, path: path.into(), id: id.into(), may, summary: summary.into(), query: &[], secret: false, marked: false }
}

/// The shape of a page. By its own it would have the same name for every list, and would refer to
/// its entries without bringing their shape along.
fn page_shape<T: ToSchema>() -> Shape {
    fn name<T: ToSchema>() -> Cow<'static, str> {
        Cow::Owned(format!("PageOf{}", T::name()))
    }
    fn nested<T: ToSchema>(into: &mut Vec<(String, RefOr<Schema>)>) {
        T::schemas(into);
        into.push((T::name().into_owned(), T::schema()));
    }
    Shape { name: name::<T>, schema: Page::<T>::schema, nested: nested::<T> }
}

impl Entry {
    /// Names the parameters of the query.
    pub fn query(self, query: &'static [Param]) -> Self {
        Self { query, ..self }
    }

    /// What it takes or gives holds a secret: nothing of it is kept.
    pub fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    /// Its answer carries an `ETag`, made of its `revision` and of what it says.
    pub fn marked(self) -> Self {
        Self { marked: true, ..self }
    }

    /// Takes no body and gives JSON. The answer's schema is that of the handler's type.
    pub fn gives<T, F>(self, handler: fn(Call) -> F) -> Route
    where
        T: Serialize + ToSchema,
        F: Future<Output = Result<T, Refusal>> + Send + 'static,
    {
        let is_marked = self.marked;
        let run = move |call: Call| {
            boxed(async move {
                let known = mark::known(&call.headers);
                let response = json(StatusCode::OK, &handler(call).await?)?;
                if is_marked { mark::marked(response, known).await } else { Ok(response) }
            })
        };
        self.route(Media::None, Media::Json(shape::<T>()), Arc::new(run))
    }

    /// Takes no body and gives a page of a list.
    pub fn lists<T, F>(self, handler: fn(Call) -> F) -> Route
    where
        T: Serialize + ToSchema,
        F: Future<Output = Result<Page<T>, Refusal>> + Send + 'static,
    {
        Route { gives: Media::Json(page_shape::<T>()), ..self.gives(handler) }
    }

    /// Takes JSON and gives JSON. Both schemas are those of the handler's types.
    pub fn takes<B, T, F>(self, handler: fn(Call, B) -> F) -> Route
    where
        B: DeserializeOwned + ToSchema + Send + 'static,
        T: Serialize + ToSchema + 'static,
        F: Future<Output = Result<Reply<T>, Refusal>> + Send + 'static,
    {
        let (once, is_marked) = (self.once(), self.marked);
        let run = move |mut call: Call| {
            boxed(async move {
                let held = call.json_bytes().await?;
                let body = parse::<B>(&held.bytes)?;
                let app = Arc::clone(&call.app);
                let claim = call.claim(once, &held.bytes)?;
                let work = async move {
                    let Reply(status, value) = handler(call, body).await?;
                    json(status, &value)
                };
                let response = match claim {
                    Some(request) => once::once(&app, request, once, work).await?,
                    None => work.await?,
                };
                if is_marked { mark::marked(response, None).await } else { Ok(response) }
            })
        };
        Route { once, ..self.route(Media::Json(shape::<B>()), Media::Json(shape::<T>()), Arc::new(run)) }
    }

    /// The handler reads the body and makes the answer itself. `own` is given to it with each call.
    pub fn raw<X, F>(self, takes: Media, gives: Media, own: X, handler: fn(Call, X) -> F) -> Route
    where
        X: Clone + Send + Sync + 'static,
        F: Future<Output = Result<Response<Body>, Refusal>> + Send + 'static,
    {
        self.route(takes, gives, Arc::new(move |call| boxed(handler(call, own.clone()))))
    }

    /// A page for people.
    pub fn page<F>(self, handler: fn(Call) -> F) -> Route
    where
        F: Future<Output = Result<Response<Body>, Refusal>> + Send + 'static,
    {
        let run = move |call: Call| boxed(async move { Ok(html::framed(handler(call).await?)) });
        Route { kind: Kind::Page, ..self.route(Media::None, HTML, Arc::new(run)) }
    }

    /// Takes a form that a page sends. Its field `csrf` is checked before the handler gets the pairs.
    pub fn form<F>(self, handler: fn(Call, Vec<(String, String)>) -> F) -> Route
    where
        F: Future<Output = Result<Response<Body>, Refusal>> + Send + 'static,
    {
        let open = self.may == May::Anyone;
        let run = move |mut call: Call| {
            boxed(async move {
                let pairs = call.form_body().await?;
                if !open {
                    let sent = pairs.iter().find(|(name, _)| name == "csrf").map(|(_, value)| value.as_str());
                    call.check_csrf(sent, "the form's field csrf")?;
                }
                Ok(html::framed(handler(call, pairs).await?))
            })
        };
        Route { kind: Kind::Form, ..self.route(FORM, HTML, Arc::new(run)) }
    }

    fn route(self, takes: Media, gives: Media, handler: Handler) -> Route {
        let Self { method, path, id, may, summary, query, marked, .. } = self;
        Route { method, path, id, summary, may, query, takes, gives, kind: Kind::Api, once: Once::Never, marked, handler }
    }

    /// Whatever a person makes or decides is done once where it has a key, unless it is said otherwise.
    fn once(&self) -> Once {
        match (&self.method, self.may) {
            (&Method::POST, May::Viewer | May::Operator | May::Approver | May::Admin) if self.secret => Once::Secret,
            (&Method::POST, May::Viewer | May::Operator | May::Approver | May::Admin) => Once::Answered,
            _ => Once::Never,
        }
    }
}

impl Call {
    /// The known principal who asks.
    ///
    /// # Errors
    /// When nobody known asks, on routes that anyone may use.
    pub fn principal(&self) -> Result<belay_core::model::principal::Principal, Refusal> {
        match &self.who {
            Who::Known(principal) => Ok(principal.clone()),
            Who::Nobody | Who::Unknown | Who::Unfit(_) => Err(Refusal::unauthenticated("a credential is needed")),
        }
    }

    /// What forms have to send back, where whoever asks has a session.
    pub fn csrf(&self) -> Option<String> {
        self.session.as_ref().map(|session| session.csrf.clone())
    }

    /// A part of the path.
    pub fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    /// A parameter of the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Takes the body out, to be read.
    pub fn take_body(&mut self) -> Body {
        std::mem::take(self.body.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    async fn form_body(&mut self) -> Result<Vec<(String, String)>, Refusal> {
        let kind = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(FORM_TYPE) {
            let detail = format!("content-type {kind:?} is not taken here; send {FORM_TYPE}");
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail));
        }
        let body = self.take_body();
        let held = self.app.bodies.read(body, &self.headers, FORM_MAX).await?;
        let text = std::str::from_utf8(&held.bytes).map_err(|bad| Refusal::bad_request(format!("the form is not text: {bad}")))?;
        Ok(super::form::pairs(text))
    }

    /// Whoever acts by a cookie has to show that a page of the session made it.
    pub(super) fn check_csrf(&self, sent: Option<&str>, place: &str) -> Result<(), Refusal> {
        let Some(session) = &self.session else { return Ok(()) };
        // Hashes are compared: how long it takes says nothing of what would have fitted.
        let fits = sent.is_some_and(|sent| Digest::of(sent.as_bytes()) == Digest::of(session.csrf.as_bytes()));
        if fits {
            return Ok(());
        }
        let detail = format!("{place} does not hold what belongs to this session: load the page again, and send it from there");
        Err(Refusal::new(StatusCode::FORBIDDEN, "csrf", detail))
    }

    async fn json_bytes(&mut self) -> Result<Held, Refusal> {
        let body = self.take_body();
        self.app.bodies.read(body, &self.headers, self.app.bodies.caps.json).await
    }

    /// The claim it makes, where it came with a key.
    fn claim(&self, once: Once, body: &[u8]) -> Result<Option<Request>, Refusal> {
        if once == Once::Never {
            return Ok(None);
        }
        let target = format!("{} {}?{}", self.method, self.path, self.raw_query);
        let who = self.principal()?.actor().0;
        once::request(&Sent { who, target: &target, headers: &self.headers, body }, once, self.app.drive.now())
    }
}

fn parse<B: DeserializeOwned>(bytes: &[u8]) -> Result<B, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| Refusal::bad_request(format!("the body is not the JSON that is asked for: {error}")))
}

/// A JSON answer.
///
/// # Errors
/// When the value cannot be written, which would be a mistake in Belay.
pub fn json<T: Serialize>(status: StatusCode, value: &T) -> Result<Response<Body>, Refusal> {
    let body = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "an answer could not be written");
        Refusal::internal()
    })?;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// The router of a table.
pub fn router(app: &Arc<App>, routes: &[Route]) -> Router {
    let mut by_path: BTreeMap<&str, MethodRouter<Arc<App>>> = BTreeMap::new();
    for route in routes {
        let known = by_path.remove(route.path.as_str()).unwrap_or_default();
        by_path.insert(&route.path, known.merge(endpoint(route)));
    }
    let mut router = Router::new();
    for (path, methods) in by_path {
        router = router.route(path, methods);
    }
    router.fallback(no_such_path).method_not_allowed_fallback(no_such_method).with_state(Arc::clone(app))
}

fn endpoint(route: &Route) -> MethodRouter<Arc<App>> {
    let filter = MethodFilter::try_from(route.method.clone()).unwrap_or(MethodFilter::GET);
    let (rules, handler) = (Rules { may: route.may, kind: route.kind }, Arc::clone(&route.handler));
    on(filter, move |Shared(app): Shared<Arc<App>>, params: RawPathParams, request: http::Request<Body>| {
        let handler = Arc::clone(&handler);
        async move { guard(app, rules, params, request, handler).await }
    })
}

async fn no_such_path(Shared(app): Shared<Arc<App>>, request: http::Request<Body>) -> Response<Body> {
    let path = request.uri().path();
    Refusal::not_found("there is no such path; /api/v1/openapi.json lists those there are").into_response(path, &app.requests.next())
}

async fn no_such_method(Shared(app): Shared<Arc<App>>, request: http::Request<Body>) -> Response<Body> {
    let detail = format!("{} is not used on this path; /api/v1/openapi.json lists what is", request.method());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail).into_response(request.uri().path(), &app.requests.next())
}

fn boxed(future: impl Future<Output = Result<Response<Body>, Refusal>> + Send + 'static) -> Answering {
    Box::pin(future)
}
