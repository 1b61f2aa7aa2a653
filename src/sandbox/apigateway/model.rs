//! What exists, in the shape in which it is answered and kept. A region is not a member: it is part of the key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Names to texts: tags, variables, mappings.
pub(crate) type Texts = BTreeMap<String, String>;
/// Content types to templates; an empty template is null.
pub(crate) type Templates = BTreeMap<String, Option<String>>;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RestApi {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    /// Seconds since 1970, as in everything below.
    pub(crate) created_date: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) binary_media_types: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) minimum_compression_size: Option<u32>,
    /// `HEADER` or `AUTHORIZER`.
    pub(crate) api_key_source: String,
    pub(crate) endpoint_configuration: EndpointConfiguration,
    /// The resource policy with its quotes escaped, which is how AWS answers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<String>,
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub(crate) tags: Texts,
    pub(crate) disable_execute_api_endpoint: bool,
    pub(crate) root_resource_id: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EndpointConfiguration {
    /// Exactly one of `EDGE`, `REGIONAL`, `PRIVATE`.
    pub(crate) types: Vec<String>,
    /// `ipv4` or `dualstack`.
    pub(crate) ip_address_type: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) vpc_endpoint_ids: Vec<String>,
}

/// A resource: one part of a path. The root has neither parent nor part.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Resource {
    pub(crate) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path_part: Option<String>,
    /// By HTTP method, `ANY` among them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) resource_methods: BTreeMap<String, Method>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Method {
    pub(crate) http_method: String,
    /// `NONE` or `AWS_IAM`: the others need an authorizer.
    pub(crate) authorization_type: String,
    pub(crate) api_key_required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operation_name: Option<String>,
    /// The declared parameters (`method.request.path.proxy`), and whether each is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_parameters: Option<BTreeMap<String, bool>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_models: Option<Texts>,
    /// By status code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) method_responses: BTreeMap<String, MethodResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) method_integration: Option<Integration>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MethodResponse {
    pub(crate) status_code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) response_parameters: Option<BTreeMap<String, bool>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) response_models: Option<Texts>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Integration {
    /// `HTTP`, `HTTP_PROXY`, `AWS`, `AWS_PROXY` or `MOCK`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) http_method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) uri: Option<String>,
    /// `INTERNET` or `VPC_LINK`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connection_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connection_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) credentials: Option<String>,
    /// `integration.request.path.proxy` to `method.request.path.proxy`, or to a static value in single quotes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_parameters: Option<Texts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_templates: Option<Templates>,
    pub(crate) passthrough_behavior: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_handling: Option<String>,
    pub(crate) timeout_in_millis: i64,
    pub(crate) cache_namespace: String,
    pub(crate) cache_key_parameters: Vec<String>,
    /// By status code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) integration_responses: BTreeMap<String, IntegrationResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_config: Option<TlsConfig>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TlsConfig {
    #[serde(default)]
    pub(crate) insecure_skip_verification: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IntegrationResponse {
    pub(crate) status_code: String,
    /// A regular expression over the backend's status; absent or empty: the default response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) selection_pattern: Option<String>,
    /// `method.response.header.X` to a static value in single quotes, or to a part of the backend's response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) response_parameters: Option<Texts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) response_templates: Option<Templates>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_handling: Option<String>,
}

/// What the gateway itself answers where no integration does.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GatewayResponse {
    /// `DEFAULT_4XX`, `MISSING_AUTHENTICATION_TOKEN`…
    pub(crate) response_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status_code: Option<String>,
    /// `gatewayresponse.header.X` to a static value in single quotes, or to a part of the request.
    pub(crate) response_parameters: Texts,
    pub(crate) response_templates: Texts,
    /// Whether nobody set it.
    pub(crate) default_response: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Deployment {
    pub(crate) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) created_date: u64,
}

/// A whole API as it was when it was deployed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Snapshot {
    /// By resource path (`/{proxy+}`), then by HTTP method. Resources without methods are there too.
    pub(crate) paths: BTreeMap<String, BTreeMap<String, Method>>,
    /// All types, defaults filled in.
    pub(crate) gateway_responses: Vec<GatewayResponse>,
    pub(crate) api_key_source: String,
    pub(crate) binary_media_types: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stage {
    pub(crate) deployment_id: String,
    pub(crate) stage_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) cache_cluster_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_cluster_size: Option<String>,
    pub(crate) cache_cluster_status: String,
    /// By resource path and method: `*/*`.
    pub(crate) method_settings: BTreeMap<String, MethodSetting>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) variables: Option<Texts>,
    pub(crate) tracing_enabled: bool,
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub(crate) tags: Texts,
    pub(crate) created_date: u64,
    pub(crate) last_updated_date: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MethodSetting {
    pub(crate) metrics_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) logging_level: Option<String>,
    pub(crate) data_trace_enabled: bool,
    pub(crate) throttling_burst_limit: i64,
    pub(crate) throttling_rate_limit: f64,
    pub(crate) caching_enabled: bool,
    pub(crate) cache_ttl_in_seconds: i64,
    pub(crate) cache_data_encrypted: bool,
    pub(crate) require_authorization_for_cache_control: bool,
    pub(crate) unauthorized_cache_control_header_strategy: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApiKey {
    pub(crate) id: String,
    pub(crate) value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) customer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) enabled: bool,
    pub(crate) created_date: u64,
    pub(crate) last_updated_date: u64,
    pub(crate) stage_keys: Vec<String>,
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub(crate) tags: Texts,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UsagePlan {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) api_stages: Vec<ApiStage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) throttle: Option<ThrottleSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quota: Option<QuotaSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) product_code: Option<String>,
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub(crate) tags: Texts,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApiStage {
    #[serde(default)]
    pub(crate) api_id: String,
    #[serde(default)]
    pub(crate) stage: String,
    /// By `/path/METHOD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) throttle: Option<BTreeMap<String, ThrottleSettings>>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ThrottleSettings {
    pub(crate) burst_limit: i64,
    /// Requests a second.
    pub(crate) rate_limit: f64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct QuotaSettings {
    pub(crate) limit: i64,
    pub(crate) offset: i64,
    /// `DAY`, `WEEK` or `MONTH`.
    pub(crate) period: String,
}
