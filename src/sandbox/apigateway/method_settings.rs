//! A stage's settings for its methods: throttling, logs, metrics, caching.

use std::collections::BTreeMap;

use super::model::MethodSetting;
use super::patch::{Op, Patch};
use super::refusal::bad_request;
use crate::sandbox::call::Refusal;

/// What a setting is made of where only one part of it is given.
fn initial() -> MethodSetting {
    MethodSetting {
        metrics_enabled: false,
        logging_level: None,
        data_trace_enabled: false,
        throttling_burst_limit: 5000,
        throttling_rate_limit: 10_000.0,
        caching_enabled: false,
        cache_ttl_in_seconds: 300,
        cache_data_encrypted: false,
        require_authorization_for_cache_control: true,
        unauthorized_cache_control_header_strategy: "SUCCEED_WITH_RESPONSE_HEADER".to_owned(),
    }
}

/// Applies a patch of `/{resourcePath}/{httpMethod}/…`, of which the path's own slashes are escaped.
pub(super) fn apply(settings: &mut BTreeMap<String, MethodSetting>, patch: &Patch) -> Result<(), Refusal> {
    // The key keeps the escapes: `~1pets~1{id}/GET`.
    let sent: Vec<&str> = patch.path.split('/').skip(1).collect();
    if patch.op == Op::Remove {
        let removed = match sent.as_slice() {
            [path, method] => settings.remove(&format!("{path}/{method}")),
            _ => None,
        };
        return removed.map(drop).ok_or_else(|| {
            let path = sent.join("/");
            bad_request(format!(
                "Cannot remove method setting {path} because there is no method setting for this method "
            ))
        });
    }
    let [path, method, group, member] = sent.as_slice() else { return Err(unknown_path(patch)) };
    let key = format!("{path}/{method}");
    let mut setting = settings.get(&key).cloned().unwrap_or_else(initial);
    set(&mut setting, patch, group, member)?;
    patch.replaces()?;
    settings.insert(key, setting);
    Ok(())
}

fn set(setting: &mut MethodSetting, patch: &Patch, group: &str, member: &str) -> Result<(), Refusal> {
    match (group, member) {
        ("metrics", "enabled") => setting.metrics_enabled = patch.flag(),
        ("logging", "dataTrace") => setting.data_trace_enabled = patch.flag(),
        ("logging", "loglevel") => match patch.text() {
            "OFF" => setting.logging_level = patch.non_empty(),
            "ERROR" | "INFO" => return Err(no_logs_role()),
            _ => return Err(bad_request("Invalid logging level specified. Valid options are OFF,ERROR,INFO")),
        },
        ("throttling", "burstLimit") => setting.throttling_burst_limit = patch.number()?,
        ("throttling", "rateLimit") => setting.throttling_rate_limit = patch.number()?,
        ("caching", "enabled") => setting.caching_enabled = patch.flag(),
        ("caching", "ttlInSeconds") => {
            setting.cache_ttl_in_seconds = patch.number()?;
            if !(0..=3600).contains(&setting.cache_ttl_in_seconds) {
                return Err(bad_request("Invalid cache TTL specified; it is between 0 and 3600 seconds"));
            }
        }
        ("caching", "dataEncrypted") => setting.cache_data_encrypted = patch.flag(),
        ("caching", "requireAuthorizationForCacheControl") => {
            setting.require_authorization_for_cache_control = patch.flag();
        }
        ("caching", "unauthorizedCacheControlHeaderStrategy") => {
            let strategies = ["FAIL_WITH_403", "SUCCEED_WITH_RESPONSE_HEADER", "SUCCEED_WITHOUT_RESPONSE_HEADER"];
            if !strategies.contains(&patch.text()) {
                return Err(bad_request(format!(
                    "Invalid unauthorizedCacheControlHeaderStrategy specified. Valid options are {}",
                    strategies.join(",")
                )));
            }
            patch.text().clone_into(&mut setting.unauthorized_cache_control_header_strategy);
        }
        _ => return Err(unknown_path(patch)),
    }
    Ok(())
}

/// Logs need a CloudWatch role in the account's settings, which the sandbox's account doesn't have.
pub(super) fn no_logs_role() -> Refusal {
    bad_request("CloudWatch Logs role ARN must be set in account settings to enable logging")
}

/// The refusal of a path that a stage doesn't have.
pub(super) fn unknown_path(patch: &Patch) -> Refusal {
    bad_request(format!(
        "Invalid method setting path: {}. Must be one of: [/deploymentId, /description, /cacheClusterEnabled, \
         /cacheClusterSize, /clientCertificateId, /accessLogSettings, /accessLogSettings/destinationArn, \
         /accessLogSettings/format, /{{resourcePath}}/{{httpMethod}}/metrics/enabled, \
         /{{resourcePath}}/{{httpMethod}}/logging/dataTrace, /{{resourcePath}}/{{httpMethod}}/logging/loglevel, \
         /{{resourcePath}}/{{httpMethod}}/throttling/burstLimit, /{{resourcePath}}/{{httpMethod}}/throttling/rateLimit, \
         /{{resourcePath}}/{{httpMethod}}/caching/ttlInSeconds, /{{resourcePath}}/{{httpMethod}}/caching/enabled, \
         /{{resourcePath}}/{{httpMethod}}/caching/dataEncrypted, \
         /{{resourcePath}}/{{httpMethod}}/caching/requireAuthorizationForCacheControl, \
         /{{resourcePath}}/{{httpMethod}}/caching/unauthorizedCacheControlHeaderStrategy, /variables/{{variable_name}}, \
         /tracingEnabled]",
        patch.path
    ))
}
