//! Deployments: what pipelines publish, and what the machines that make configurations tell.

use belay_api::agent::{DeploymentsBody, DeploymentsTaken};
use belay_api::http::{DeploymentRow, Page, PublishBody, WithdrawBody};
use belay_core::decide::Input;
use belay_core::model::ids::{Environment, HostId};

use super::super::refusal::Refusal;
use super::super::route::{Call, Reply};
use super::{invalid, settled, spoken};
use crate::drive::Keep;

/// All there are.
pub(crate) async fn list(call: Call) -> Result<Page<DeploymentRow>, Refusal> {
    Ok(Page { items: call.app.drive.read(DeploymentRow::all), next: None })
}

/// Offers one.
pub(crate) async fn publish(call: Call, body: PublishBody) -> Result<Reply<DeploymentRow>, Refusal> {
    let row = decide(&call, &body.environment, false, body.reason).await?;
    Ok(Reply(axum::http::StatusCode::CREATED, row))
}

/// Offers one no more.
pub(crate) async fn withdraw(call: Call, body: WithdrawBody) -> Result<Reply<DeploymentRow>, Refusal> {
    Ok(decide(&call, call.param("environment"), true, body.reason).await?.into())
}

async fn decide(call: &Call, environment: &str, withdraw: bool, reason: String) -> Result<DeploymentRow, Refusal> {
    let environment = Environment::parse(environment).map_err(|bad| Refusal::bad_request(format!("environment: {bad}")))?;
    let input = Input::Publish { principal: call.principal()?, environment: environment.clone(), withdraw, reason };
    settled(call.app.drive.decide(input, Keep::default()).await?)?;
    Ok(call.app.drive.read(|state| DeploymentRow::one(state, &environment)))
}

/// A relay tells what its machine has.
pub(crate) async fn told(call: Call, body: DeploymentsBody) -> Result<Reply<DeploymentsTaken>, Refusal> {
    spoken(body.protocol)?;
    let environments = body.told(call.app.drive.now()).map_err(invalid)?;
    let taken = u32::try_from(environments.len()).unwrap_or(u32::MAX);
    let host = HostId::parse(&body.host).map_err(|bad| Refusal::bad_request(format!("host: {bad}")))?;
    let input = Input::Deployed { principal: call.principal()?, host, environments };
    settled(call.app.drive.decide(input, Keep::default()).await?)?;
    Ok(DeploymentsTaken { environments: taken }.into())
}
