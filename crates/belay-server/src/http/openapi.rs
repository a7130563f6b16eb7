//! The OpenAPI document, made from the table of routes.

use std::collections::BTreeMap;

use axum::http::Method;
use belay_api::http::Problem;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathsBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required, Response, ResponseBuilder, Schema};

use super::auth::May;
use super::once::Once;
use super::route::{Kind, Media, Route, Shape, shape};

/// What a key of a request does.
const KEY: &str = "Sent again with the same key within 24 hours, nothing is done again, and the answer is the same.";

/// What the mark of an answer is.
const MARK: &str = "The mark of what this answer says: its revision and a digest. Send it as If-None-Match or If-Match.";
/// What it does to name the answer that is known.
const KNOWN: &str = "The ETag of an answer that is known: where nothing has altered since, 304 is answered.";
/// What it does to name what was seen.
const SEEN: &str = "The revision that was seen, as \"3\" or as an ETag: where it was altered since, 412 is answered and nothing is done.";

/// The document of a table.
pub fn document(routes: &[Route]) -> OpenApi {
    let mut schemas = BTreeMap::new();
    let problem = shape::<Problem>();
    collect(problem, &mut schemas);
    let mut paths = PathsBuilder::new().build();
    for route in routes.iter().filter(|route| route.kind == Kind::Api) {
        for media in [route.takes, route.gives] {
            if let Media::Json(shape) = media {
                collect(shape, &mut schemas);
            }
        }
        paths.add_path_operation(&route.path, vec![method(&route.method)], operation(route, problem));
    }
    let mut components = ComponentsBuilder::new()
        .security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)))
        .security_scheme("basic", SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)));
    for (name, schema) in schemas {
        components = components.schema(name, schema);
    }
    let info = InfoBuilder::new()
        .title("Belay")
        .version("1")
        .description(Some("The safety catch of configuration management: its API. Times are RFC 3339 in UTC."))
        .build();
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components.build())).build()
}

fn operation(route: &Route, problem: Shape) -> utoipa::openapi::path::Operation {
    let answer = ResponseBuilder::new().description("As asked.");
    let answer = if route.marked { answer.header("ETag", etag()) } else { answer };
    let answer = with_media(route.gives, |media, schema| (media, schema))
        .into_iter()
        .fold(answer, |answer, (media, schema)| answer.content(media, ContentBuilder::new().schema(schema).build()));
    let mut operation = OperationBuilder::new()
        .operation_id(Some(route.id.clone()))
        .summary(Some(route.summary.clone()))
        .description(Some(format!("Needs {}.", route.may.words())))
        .response("200", answer)
        .response("default", refused(problem));
    if route.marked && route.method == Method::GET {
        let same = ResponseBuilder::new().description("It is what `If-None-Match` names.").header("ETag", etag());
        operation = operation.response("304", same.build());
    }
    for parameter in parameters(route) {
        operation = operation.parameter(parameter);
    }
    let bodies = with_media(route.takes, |media, schema| (media, schema));
    if !bodies.is_empty() {
        let body = RequestBodyBuilder::new().required(Some(Required::True));
        let body = bodies.into_iter().fold(body, |body, (media, schema)| body.content(media, ContentBuilder::new().schema(schema).build()));
        operation = operation.request_body(Some(body.build()));
    }
    let securities = match route.may {
        May::Anyone => vec![],
        _ => ["bearer", "basic"].map(|name| SecurityRequirement::new::<_, _, String>(name, [])).to_vec(),
    };
    operation.securities(Some(securities)).build()
}

fn etag() -> utoipa::openapi::header::Header {
    let text = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
    HeaderBuilder::new().schema(Some(text)).description(Some(MARK)).build()
}

fn refused(problem: Shape) -> Response {
    let schema = Ref::from_schema_name((problem.name)());
    ResponseBuilder::new()
        .description("Not as asked: why, and what to do about it.")
        .content("application/problem+json", ContentBuilder::new().schema(Some(schema)).build())
        .build()
}

fn with_media<T>(media: Media, of: impl Fn(String, Option<RefOr<Schema>>) -> T) -> Vec<T> {
    match media {
        Media::None => Vec::new(),
        Media::Json(shape) => vec![of("application/json".to_owned(), Some(Ref::from_schema_name((shape.name)()).into()))],
        Media::Bytes(types) => types.iter().map(|media| of((*media).to_owned(), None)).collect(),
    }
}

fn parameters(route: &Route) -> Vec<Parameter> {
    let text = || ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).map(|name| {
        ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True).schema(Some(text())).build()
    });
    let in_query = route.query.iter().map(|param| {
        let parameter = ParameterBuilder::new().name(param.name).parameter_in(ParameterIn::Query).required(Required::False);
        parameter.description(Some(param.about)).schema(Some(text())).build()
    });
    let once = ParameterBuilder::new().name("Idempotency-Key").parameter_in(ParameterIn::Header).required(Required::False);
    let once = once.description(Some(KEY)).schema(Some(text())).build();
    let seen = match (route.marked, &route.method) {
        (true, &Method::GET) => Some(("If-None-Match", KNOWN)),
        (true, _) if route.path.contains('{') => Some(("If-Match", SEEN)),
        _ => None,
    };
    let seen = seen.map(|(name, about)| {
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Header).required(Required::False);
        parameter.description(Some(about)).schema(Some(text())).build()
    });
    in_path.chain(in_query).chain((route.once != Once::Never).then_some(once)).chain(seen).collect()
}

fn collect(shape: Shape, into: &mut BTreeMap<String, RefOr<Schema>>) {
    let mut nested = Vec::new();
    (shape.nested)(&mut nested);
    into.extend(nested);
    into.insert((shape.name)().into_owned(), (shape.schema)());
}

fn method(method: &Method) -> HttpMethod {
    match *method {
        Method::POST => HttpMethod::Post,
        Method::PUT => HttpMethod::Put,
        Method::DELETE => HttpMethod::Delete,
        Method::PATCH => HttpMethod::Patch,
        _ => HttpMethod::Get,
    }
}
