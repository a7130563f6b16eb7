//! The classifier: which environment a host gets, from the last policy. It never fails because the
//! server is away, and it never names an environment that was not declared.

use std::time::Duration;

use anyhow::{Result, bail};
use belay_core::host::classify::classify;
use belay_core::host::policy::HostPolicy;
use belay_core::model::ids::{Environment, HostId};
use belay_core::model::item::branch;

use crate::bound::Bound;
use crate::command;
use crate::config::Config;
use crate::kept::{Kept, LastGood};
use crate::look;

/// How long another classifier may take.
const WRAP_LIMIT: Duration = Duration::from_secs(30);
/// The largest answer of another classifier, in bytes.
const WRAP_MAX: usize = 4 * 1024 * 1024;
/// How long a command that tells the release may take.
const RELEASE_LIMIT: Duration = Duration::from_secs(1);

/// What the classifier answers.
pub struct Classification {
    /// The environment to name; none where there is no reason to.
    pub environment: Option<Environment>,
    /// The answer of the classifier that is wrapped, as it came.
    pub wrapped: Option<Vec<u8>>,
}

/// Classifies a host. `name` is as the tool spells it.
///
/// # Errors
/// Only the classifier that is wrapped can fail: then so does this, as it did before.
pub fn classified(config: &Config, kept: &Kept, name: &str) -> Result<Classification> {
    let wrapped = match &config.enc.wrap {
        None => None,
        Some(argv) => {
            let argv: Vec<String> = argv.iter().cloned().chain([name.to_owned()]).collect();
            let ended = command::run(&argv, WRAP_LIMIT, WRAP_MAX)?;
            if !ended.ok() {
                bail!("{} ended with {}: {}", argv[0], ended.code_words(), ended.said());
            }
            if ended.out.len() >= WRAP_MAX {
                bail!("{} answered more than {WRAP_MAX} bytes", argv[0]);
            }
            Some(ended.out)
        }
    };
    Ok(Classification { environment: HostId::parse(name).ok().and_then(|host| environment(config, kept, &host)), wrapped })
}

fn environment(config: &Config, kept: &Kept, host: &HostId) -> Option<Environment> {
    let LastGood::Good(held) = kept.last_good(&config.host, host) else { return None };
    let release = (*host == config.host).then(|| look::release(config, kept, RELEASE_LIMIT).ok().flatten()).flatten();
    let environment = classify(&held.policy, release.as_ref(), kept.server_time()).environment?;
    is_declared(config, &held.policy, &environment).then_some(environment)
}

/// Whether an environment was declared: in the policy's map (a snapshot of the same branch counts)
/// and, where the host has a list of its own, there too. A pin or a wave can name no other.
fn is_declared(config: &Config, policy: &HostPolicy, environment: &Environment) -> bool {
    let name = environment.as_str();
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let own = &config.enc.environments;
    let listed = own.is_empty() || own.iter().any(|pattern| pattern.matches(name));
    let mapped = policy.environments.values().any(|due| branch(due.as_str()) == branch(name));
    plain && listed && (mapped || (policy.environments.is_empty() && !own.is_empty()))
}

/// The classifier's answer as the tool reads it. What another classifier said and cannot be altered
/// for certain is given as it came, and the note says so.
///
/// # Errors
/// As [`classified`].
pub fn answer(config: &Config, kept: &Kept, name: &str) -> Result<(Vec<u8>, Option<String>)> {
    let tool = Bound::new(&config.tool, &config.host)?.tool;
    let Classification { environment, wrapped } = classified(config, kept, name)?;
    let Some(wrapped) = wrapped else { return Ok((tool.enc_answer(environment.as_ref()).into_bytes(), None)) };
    let Some(environment) = environment else { return Ok((wrapped, None)) };
    match tool.enc_wrap(&wrapped, Some(&environment)) {
        Ok(answer) => Ok((answer.into_bytes(), None)),
        Err(why) => Ok((wrapped, Some(format!("environment {environment} was not named: {why}")))),
    }
}
