//! The identity provider that people log in through: OpenID Connect, the authorization code flow with PKCE. The library
//! verifies what the provider signs; here is what is asked, what is remembered meanwhile, and what a person may do.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use belay_api::config::{IssuerConfig, NameClaim};
use belay_core::model::ids::Digest;
use belay_core::model::principal::{Principal, Role};
use belay_core::model::time::{Span, Timestamp};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, IdTokenClaims, IdTokenFields, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope, StandardErrorResponse, StandardTokenResponse, TokenResponse,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cookie::GOING_MAX;
use crate::net::{Client as Http, NotSent};

/// Where people come back to.
pub const BACK: &str = "/login/issuer/back";
/// What is known of the provider is asked for anew after this time.
const KNOWN_FOR: Span = Span::from_min(10);
/// Logins that may go on at a time.
const GOING: usize = 1_000;
/// The longest name of a person, in characters.
const NAME_MAX: usize = 200;

/// The claims beside the usual ones.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Others {
    #[serde(flatten)]
    all: BTreeMap<String, Value>,
}

impl AdditionalClaims for Others {}

type Fields = IdTokenFields<Others, EmptyExtraTokenFields, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
type Claims = IdTokenClaims<Others, CoreGenderClaim>;
type Client = openidconnect::Client<
    Others,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The identity provider.
pub struct Issuer {
    config: IssuerConfig,
    secret: String,
    back: RedirectUrl,
    http: Http,
    going: Mutex<BTreeMap<Digest, Going>>,
    known: tokio::sync::Mutex<Option<(Timestamp, CoreProviderMetadata)>>,
}

/// A login that goes on at the provider.
struct Going {
    nonce: Nonce,
    verifier: PkceCodeVerifier,
    next: String,
    since: Timestamp,
}

/// Where to go, and by what it is known who comes back.
pub struct Gone {
    /// The provider's page.
    pub url: String,
    /// What the cookie is to hold until then.
    pub state: String,
}

/// Why a login through the provider came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The person may not come in; the text is for it.
    Refused(String),
    /// The provider could not be asked, or says what cannot be; the text is for the log.
    Issuer(String),
    /// Too many go on.
    TooMany,
}

impl Issuer {
    /// The provider of a configuration, to be asked by this client. Nothing is asked yet.
    ///
    /// # Errors
    /// What cannot be used, with the remedy.
    pub fn new(config: IssuerConfig, public_url: &str, http: Http) -> Result<Self, String> {
        let path = Path::new(&config.client_secret_file);
        let secret = std::fs::read_to_string(path)
            .map_err(|error| format!("server.oidc.client_secret_file: {} cannot be read: {error}", path.display()))?;
        let secret = secret.trim().to_owned();
        if secret.is_empty() {
            return Err(format!("server.oidc.client_secret_file: {} is empty; write the secret into it", path.display()));
        }
        let back = RedirectUrl::new(format!("{public_url}{BACK}")).map_err(|error| format!("server.public_url: {error}"))?;
        Ok(Self { config, secret, back, http, going: Mutex::default(), known: tokio::sync::Mutex::default() })
    }

    /// What people call it: its host.
    pub fn name(&self) -> &str {
        super::origin::authority(&self.config.issuer).unwrap_or(&self.config.issuer)
    }

    /// Begins a login that ends at this page.
    ///
    /// # Errors
    /// See [`Failed`].
    pub async fn go(&self, next: &str, now: Timestamp) -> Result<Gone, Failed> {
        let client = self.client(now, false).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let request = client.authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random);
        let scopes = ["profile", "email"].map(|scope| Scope::new(scope.to_owned()));
        let (url, state, nonce) = request.add_scopes(scopes).set_pkce_challenge(challenge).url();
        let mut going = self.going.lock().unwrap_or_else(PoisonError::into_inner);
        going.retain(|_, login| now.since(login.since) < GOING_MAX);
        if going.len() >= GOING {
            return Err(Failed::TooMany);
        }
        let state = state.into_secret();
        going.insert(Digest::of(state.as_bytes()), Going { nonce, verifier, next: next.to_owned(), since: now });
        Ok(Gone { url: url.into(), state })
    }

    /// Ends a login: who came back, and the page to go to. Each can be ended once.
    ///
    /// # Errors
    /// See [`Failed`].
    pub async fn back(&self, state: &str, code: &str, now: Timestamp) -> Result<(Principal, String), Failed> {
        let taken = self.going.lock().unwrap_or_else(PoisonError::into_inner).remove(&Digest::of(state.as_bytes()));
        let login = taken.filter(|login| now.since(login.since) < GOING_MAX);
        let login = login.ok_or_else(|| Failed::Refused("this login took too long, or was ended before: begin anew".to_owned()))?;
        let client = self.client(now, false).await?;
        let http = |request: HttpRequest| call(self.http.clone(), request);
        let exchange = client.exchange_code(AuthorizationCode::new(code.to_owned())).map_err(unusable)?;
        let answer = exchange.set_pkce_verifier(login.verifier).request_async(&http).await.map_err(unusable)?;
        let token = answer.id_token().ok_or_else(|| Failed::Issuer("it sent no ID token".to_owned()))?;
        let at = chrono::DateTime::from_timestamp_millis(now.ms()).unwrap_or_default();
        let claims = match token.claims(&client.id_token_verifier().set_time_fn(move || at), &login.nonce) {
            Ok(claims) => claims.clone(),
            // It may have taken other keys meanwhile.
            Err(_) => {
                let client = self.client(now, true).await?;
                token.claims(&client.id_token_verifier().set_time_fn(move || at), &login.nonce).map_err(unusable)?.clone()
            }
        };
        Ok((self.person(&claims)?, login.next))
    }

    async fn client(&self, now: Timestamp, anew: bool) -> Result<Client, Failed> {
        let mut known = self.known.lock().await;
        let fresh = known.as_ref().filter(|(since, _)| !anew && now.since(*since) < KNOWN_FOR).map(|(_, metadata)| metadata.clone());
        let metadata = match fresh {
            Some(metadata) => metadata,
            None => {
                let http = |request: HttpRequest| call(self.http.clone(), request);
                let issuer = IssuerUrl::new(self.config.issuer.clone()).map_err(unusable)?;
                let metadata = CoreProviderMetadata::discover_async(issuer, &http).await.map_err(unusable)?;
                *known = Some((now, metadata.clone()));
                metadata
            }
        };
        let (id, secret) = (ClientId::new(self.config.client_id.clone()), ClientSecret::new(self.secret.clone()));
        Ok(Client::from_provider_metadata(metadata, id, Some(secret)).set_redirect_uri(self.back.clone()))
    }

    /// Whom the claims are of. Such people have names of their own: nobody at the provider can be called what an account or
    /// a credential here is called.
    fn person(&self, claims: &Claims) -> Result<Principal, Failed> {
        let verified = claims.email_verified().unwrap_or(false);
        let name = match self.config.name_claim {
            NameClaim::PreferredUsername => claims.preferred_username().map(|name| name.as_str()),
            NameClaim::Email => claims.email().filter(|_| verified).map(|email| email.as_str()),
            NameClaim::Sub => Some(claims.subject().as_str()),
        };
        let usable = |name: &&str| !name.is_empty() && name.chars().count() <= NAME_MAX && name.chars().all(|c| c.is_ascii_graphic());
        let Some(name) = name.filter(usable) else {
            let word = self.config.name_claim.word();
            return Err(Failed::Refused(format!("the identity provider says no name that can be used (claim {word})")));
        };
        let groups = groups(claims.additional_claims().all.get(&self.config.role_claim));
        let role = groups.iter().filter_map(|group| self.config.roles.get(*group)).max().copied();
        role.map(|role: Role| Principal::person(format!("oidc:{name}"), role))
            .ok_or_else(|| Failed::Refused(format!("{name} is in no group that may come in; an admin can add one to `server.oidc.roles`")))
    }
}

/// A claim of groups: a text, or a list of them.
fn groups(claim: Option<&Value>) -> Vec<&str> {
    match claim {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        Some(_) | None => Vec::new(),
    }
}

async fn call(http: Http, request: HttpRequest) -> Result<HttpResponse, NotSent> {
    http.ask(request).await
}

/// What went wrong, with its causes.
fn unusable(error: impl std::error::Error) -> Failed {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    Failed::Issuer(text)
}
