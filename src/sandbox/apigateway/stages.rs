//! Stages: the names under which deployments are live.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::deployments;
use super::method_settings;
use super::model::{Stage, Texts};
use super::patch::{Op, Patch};
use super::refusal::{bad_request, conflict, limit_exceeded};
use super::request::{Request, seconds};
use super::tables::{STAGES, Tables};
use super::tags;
use crate::sandbox::call::{Refusal, Reply};

/// How many stages an API has at most.
const QUOTA: usize = 10;

const CACHE_SIZES: [&str; 8] = ["0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237"];

/// What both CreateStage and CreateDeployment can say of a stage.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Settings {
    cache_cluster_enabled: Option<bool>,
    cache_cluster_size: Option<String>,
    variables: Option<Texts>,
    tracing_enabled: Option<bool>,
    canary_settings: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    stage_name: Option<String>,
    deployment_id: Option<String>,
    description: Option<String>,
    documentation_version: Option<String>,
    tags: Option<Texts>,
    #[serde(flatten)]
    settings: Settings,
}

impl Settings {
    /// # Errors
    /// Where a setting isn't one that a stage can have.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.canary_settings.is_some() {
            return Err(bad_request("canarySettings are not supported by the sandbox; deploy to a stage of its own"));
        }
        self.cache_cluster_size.as_deref().map_or(Ok(()), check_cache_size)?;
        self.variables.iter().flatten().try_for_each(|(name, value)| check_variable(name, value))
    }

    /// Sets what is given.
    fn apply(self, stage: &mut Stage) {
        if let Some(enabled) = self.cache_cluster_enabled {
            enable_cache(stage, enabled);
        }
        if self.cache_cluster_size.is_some() {
            stage.cache_cluster_size = self.cache_cluster_size;
        }
        if self.variables.is_some() {
            stage.variables = self.variables;
        }
        if let Some(enabled) = self.tracing_enabled {
            stage.tracing_enabled = enabled;
        }
    }
}

fn check_cache_size(size: &str) -> Result<(), Refusal> {
    if CACHE_SIZES.contains(&size) {
        return Ok(());
    }
    Err(bad_request(format!("Invalid cache cluster size specified. Valid options are {}", CACHE_SIZES.join(","))))
}

fn check_variable(name: &str, value: &str) -> Result<(), Refusal> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(bad_request(format!(
            "Invalid stage variable name: {name}.  Please use names with alphanumeric characters and underscores."
        )));
    }
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" -._~:/?#&=,".contains(&byte)) {
        return Err(bad_request(format!(
            "Invalid stage variable value: {value}.  Please use values with alphanumeric characters and the symbols \
             ' ', -', '.', '_', ':', '/', '?', '&', '=', and ','."
        )));
    }
    Ok(())
}

fn enable_cache(stage: &mut Stage, enabled: bool) {
    stage.cache_cluster_enabled = enabled;
    let status = if enabled { "AVAILABLE" } else { "NOT_AVAILABLE" };
    status.clone_into(&mut stage.cache_cluster_status);
    if enabled {
        stage.cache_cluster_size.get_or_insert_with(|| CACHE_SIZES[0].to_owned());
    }
}

fn check_name(name: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(bad_request("Stage name must be non-empty"));
    }
    if name.len() > 128 {
        return Err(bad_request("Stage name cannot be longer than 128 characters"));
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
        return Err(bad_request("Stage name only allows a-zA-Z0-9_-"));
    }
    Ok(())
}

fn check_quota(tables: &Tables<'_, '_>, api_id: &str) -> Result<(), Refusal> {
    let stages: Vec<(String, Stage)> = tables.of(STAGES, api_id);
    if stages.len() < QUOTA {
        return Ok(());
    }
    Err(limit_exceeded(
        "Maximum number of stages for this API has been reached. Please contact AWS if you need additional stages.",
    ))
}

fn new_stage(name: &str, deployment_id: &str, description: Option<String>) -> Stage {
    let now = seconds();
    Stage {
        deployment_id: deployment_id.to_owned(),
        stage_name: name.to_owned(),
        description,
        cache_cluster_enabled: false,
        cache_cluster_size: None,
        cache_cluster_status: "NOT_AVAILABLE".to_owned(),
        method_settings: BTreeMap::new(),
        variables: None,
        tracing_enabled: false,
        tags: Texts::new(),
        created_date: now,
        last_updated_date: now,
    }
}

pub(super) fn create(request: &Request<'_>) -> Result<Reply, Refusal> {
    let asked: Asked = request.body()?;
    let name = asked.stage_name.unwrap_or_default();
    check_name(&name)?;
    asked.settings.check()?;
    if asked.documentation_version.is_some_and(|version| !version.is_empty()) {
        return Err(bad_request("Invalid Documentation version specified"));
    }
    let tags = asked.tags.unwrap_or_default();
    tags::check(&tags)?;
    let api_id = request.api_id();
    request.transact(|tables| {
        tables.api(api_id)?;
        if tables.stage(api_id, &name).is_ok() {
            return Err(conflict("Stage already exists"));
        }
        let deployment_id = asked.deployment_id.unwrap_or_default();
        check_deployment(tables, api_id, &deployment_id)?;
        check_quota(tables, api_id)?;
        let mut stage = new_stage(&name, &deployment_id, asked.description);
        stage.tags = tags;
        asked.settings.apply(&mut stage);
        tables.put_stage(api_id, &stage)?;
        Ok(Reply::json_status(201, &stage))
    })
}

fn check_deployment(tables: &Tables<'_, '_>, api_id: &str, id: &str) -> Result<(), Refusal> {
    deployments::find(tables, api_id, id).map(drop).map_err(|_| bad_request("Deployment id does not exist"))
}

/// Points a stage at a deployment that was just made; the stage is made where it doesn't exist.
pub(super) fn point(
    tables: &mut Tables<'_, '_>,
    api_id: &str,
    name: &str,
    deployment_id: &str,
    description: Option<String>,
    settings: Settings,
) -> Result<(), Refusal> {
    check_name(name)?;
    let mut stage = match tables.stage(api_id, name) {
        Ok(stage) => stage,
        Err(_) => {
            check_quota(tables, api_id)?;
            new_stage(name, deployment_id, None)
        }
    };
    deployment_id.clone_into(&mut stage.deployment_id);
    stage.description = description.or(stage.description);
    stage.last_updated_date = seconds();
    settings.apply(&mut stage);
    tables.put_stage(api_id, &stage)
}

pub(super) fn get(request: &Request<'_>) -> Result<Reply, Refusal> {
    let stage = request.transact(|tables| tables.stage(request.api_id(), request.named("stage_name")))?;
    Ok(Reply::json(&stage))
}

/// All stages, or those of one deployment. This list has no pages.
pub(super) fn list(request: &Request<'_>) -> Result<Reply, Refusal> {
    let of = request.call.query("deploymentId");
    request.transact(|tables| {
        tables.api(request.api_id())?;
        let stages: Vec<(String, Stage)> = tables.of(STAGES, request.api_id());
        let stages = stages.into_iter().map(|(_, stage)| stage);
        let wanted: Vec<Stage> = stages.filter(|stage| of.is_none_or(|id| stage.deployment_id == id)).collect();
        Ok(Reply::json(&json!({ "item": wanted })))
    })
}

pub(super) fn update(request: &Request<'_>) -> Result<Reply, Refusal> {
    let patches = request.patches("updateStageInput")?;
    let (api_id, name) = (request.api_id(), request.named("stage_name"));
    request.transact(|tables| {
        let mut stage = tables.stage(api_id, name)?;
        for patch in &patches {
            apply(&mut stage, patch)?;
            if patch.path == "/deploymentId" {
                check_deployment(tables, api_id, &stage.deployment_id)?;
            }
        }
        stage.last_updated_date = seconds();
        tables.put_stage(api_id, &stage)?;
        Ok(Reply::json(&stage))
    })
}

fn apply(stage: &mut Stage, patch: &Patch) -> Result<(), Refusal> {
    match *patch.parts() {
        ["variables", name] => {
            if patch.op != Op::Remove {
                check_variable(name, patch.text())?;
            }
            // Unlike other maps, variables are made by `replace` too.
            let variables = stage.variables.get_or_insert_default();
            if patch.op == Op::Replace {
                variables.insert(name.to_owned(), patch.text().to_owned());
                return Ok(());
            }
            patch.edit(&mut stage.variables, name, patch.text().to_owned(), "Invalid stage variable name specified")
        }
        ["accessLogSettings", ..] if patch.op == Op::Remove => Ok(()),
        ["accessLogSettings", ..] => Err(method_settings::no_logs_role()),
        ["canarySettings", ..] => Err(bad_request("canarySettings are not supported by the sandbox")),
        [member] => replace_member(stage, patch, member),
        _ => method_settings::apply(&mut stage.method_settings, patch),
    }
}

fn replace_member(stage: &mut Stage, patch: &Patch, member: &str) -> Result<(), Refusal> {
    match member {
        "deploymentId" => patch.text().clone_into(&mut stage.deployment_id),
        "description" => stage.description = patch.non_empty(),
        "cacheClusterEnabled" => enable_cache(stage, patch.flag()),
        "cacheClusterSize" => {
            check_cache_size(patch.text())?;
            stage.cache_cluster_size = patch.non_empty();
        }
        "tracingEnabled" => stage.tracing_enabled = patch.flag(),
        "clientCertificateId" | "documentationVersion" if patch.non_empty().is_some() => {
            return Err(bad_request(format!("Invalid {member} specified: the sandbox has none")));
        }
        "clientCertificateId" | "documentationVersion" => {}
        _ => return Err(method_settings::unknown_path(patch)),
    }
    patch.replaces()
}

pub(super) fn delete(request: &Request<'_>) -> Result<Reply, Refusal> {
    let (api_id, name) = (request.api_id(), request.named("stage_name"));
    request.transact(|tables| {
        tables.stage(api_id, name)?;
        tables.remove_stage(api_id, name)?;
        Ok(Reply::empty(202))
    })
}
