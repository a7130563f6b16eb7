//! Routes as values: method, path, who may, schemas and handler, each said once. From the table
//! come the router *and* the OpenAPI document, so neither can exist without the other; the check of
//! who may is made here, before any handler, for every route.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawPathParams, State as Shared};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use axum::routing::{MethodFilter, MethodRouter, on};
use belay_api::http::Page;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::App;
use super::auth::{self, May, Peer, Who};
use super::refusal::Refusal;

/// A request that may go on.
pub struct Call {
    /// The server.
    pub app: Arc<App>,
    /// The method.
    pub method: Method,
    /// Who asks.
    pub who: Who,
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

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Refusal>> + Send>>;
type Handler = Arc<dyn Fn(Call) -> Answering + Send + Sync>;

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
}

/// Begins a route: how it is reached, what it is called, who may, what it does.
pub fn at(method: Method, path: impl Into<String>, id: impl Into<String>, may: May, summary: impl Into<String>) -> Entry {
    Entry { method, path: path.into(), id: id.into(), may, summary: summary.into(), query: &[] }
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

    /// Takes no body and gives JSON. The answer's schema is that of the handler's type.
    pub fn gives<T, F>(self, handler: fn(Call) -> F) -> Route
    where
        T: Serialize + ToSchema,
        F: Future<Output = Result<T, Refusal>> + Send + 'static,
    {
        let run = move |call: Call| boxed(async move { json(StatusCode::OK, &handler(call).await?) });
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
        let run = move |mut call: Call| {
            boxed(async move {
                let body = call.json_body::<B>().await?;
                let Reply(status, value) = handler(call, body).await?;
                json(status, &value)
            })
        };
        self.route(Media::Json(shape::<B>()), Media::Json(shape::<T>()), Arc::new(run))
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
        self.route(Media::None, Media::Bytes(&["text/html"]), Arc::new(move |call| boxed(handler(call))))
    }

    /// Takes a form that a page sends.
    pub fn form<F>(self, handler: fn(Call, Vec<(String, String)>) -> F) -> Route
    where
        F: Future<Output = Result<Response<Body>, Refusal>> + Send + 'static,
    {
        let run = move |mut call: Call| {
            boxed(async move {
                let body = call.take_body();
                let held = call.app.bodies.read(body, &call.headers, 64 << 10).await?;
                let text = String::from_utf8_lossy(&held.bytes).into_owned();
                handler(call, super::form::pairs(&text)).await
            })
        };
        self.route(Media::Bytes(&["application/x-www-form-urlencoded"]), Media::Bytes(&["text/html"]), Arc::new(run))
    }

    fn route(self, takes: Media, gives: Media, handler: Handler) -> Route {
        let Self { method, path, id, may, summary, query } = self;
        Route { method, path, id, summary, may, query, takes, gives, handler }
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
        None
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

    async fn json_body<B: DeserializeOwned>(&mut self) -> Result<B, Refusal> {
        let body = self.take_body();
        let held = self.app.bodies.read(body, &self.headers, self.app.bodies.caps.json).await?;
        serde_json::from_slice(&held.bytes)
            .map_err(|error| Refusal::bad_request(format!("the body is not the JSON that is asked for: {error}")))
    }
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
    let (may, handler) = (route.may, Arc::clone(&route.handler));
    on(filter, move |Shared(app): Shared<Arc<App>>, params: RawPathParams, request: Request<Body>| {
        let handler = Arc::clone(&handler);
        async move { guard(app, may, params, request, handler).await }
    })
}

/// The one place where it is checked who may.
async fn guard(app: Arc<App>, may: May, params: RawPathParams, request: Request<Body>, handler: Handler) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let (id, path) = (app.requests.next(), parts.uri.path().to_owned());
    let peer = parts.extensions.get::<Peer>().cloned().unwrap_or(Peer::Network);
    let who = app.drive.read(|state| auth::who(state, &parts.headers, &peer, may));
    let params = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let raw_query = parts.uri.query().unwrap_or_default().to_owned();
    let query = super::form::pairs(&raw_query);
    let answered = match may.check(&who) {
        Err(refusal) => Err(refusal),
        Ok(()) => {
            handler(Call {
                app: Arc::clone(&app),
                method: parts.method,
                who,
                path: path.clone(),
                params,
                query,
                raw_query,
                headers: parts.headers,
                body: body.into(),
            })
            .await
        }
    };
    let mut response = answered.unwrap_or_else(|refusal| {
        tracing::info!(request_id = id, %path, status = refusal.status.as_u16(), detail = refusal.detail, "refused");
        refusal.into_response(&path, &id)
    });
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

async fn no_such_path(Shared(app): Shared<Arc<App>>, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path();
    Refusal::not_found("there is no such path; /api/v1/openapi.json lists those there are").into_response(path, &app.requests.next())
}

async fn no_such_method(Shared(app): Shared<Arc<App>>, request: Request<Body>) -> Response<Body> {
    let detail = format!("{} is not used on this path; /api/v1/openapi.json lists what is", request.method());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail).into_response(request.uri().path(), &app.requests.next())
}

fn boxed(future: impl Future<Output = Result<Response<Body>, Refusal>> + Send + 'static) -> Answering {
    Box::pin(future)
}
