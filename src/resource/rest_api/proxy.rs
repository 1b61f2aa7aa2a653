//! The resource `{proxy+}`, its method ANY, and what that passes requests to.

use aws_sdk_apigateway::types::{self, IntegrationType, Op, PatchOperation};

use crate::aws::{Failure, sent};

use super::RestApi;
use super::parts::{INTEGRATION_PATH, Integration, METHOD_PATH, Method, PROXY};
use super::seen::Seen;

/// Our resource in an API.
pub(super) struct Place {
    pub(super) api: String,
    pub(super) resource: String,
}

impl RestApi {
    /// Our resource, made where it is missing.
    pub(super) async fn proxy_resource(&self, seen: &Seen) -> Result<Place, Failure> {
        let api = seen.id().to_owned();
        if let Some(id) = seen.proxy().and_then(types::Resource::id) {
            return Ok(Place { api, resource: id.to_owned() });
        }
        let root = seen.root().and_then(types::Resource::id).unwrap_or_default();
        let call = self.client().create_resource().rest_api_id(&api).parent_id(root).path_part(PROXY);
        let made = sent(call.send().await)?;
        Ok(Place { api, resource: made.id.unwrap_or_default() })
    }

    /// The method ANY and its integration.
    pub(super) async fn converge_method(&self, seen: &Seen, place: &Place) -> Result<(), Failure> {
        let any = seen.method("ANY");
        if let Some(wanted) = &self.wanted.method {
            match any.map(Method::seen) {
                None => self.put_method(place, "ANY", wanted).await?,
                Some(have) if have != *wanted => self.patch_method(place, &have, wanted).await?,
                Some(_) => {}
            }
        }
        if let Some(wanted) = &self.wanted.integration {
            let have = any.and_then(types::Method::method_integration).map(Integration::seen);
            if have.as_ref() != Some(wanted) {
                self.put_proxy(place, wanted).await?;
            }
        }
        Ok(())
    }

    /// Makes a method. One that exists is refused by AWS.
    pub(super) async fn put_method(&self, place: &Place, verb: &str, wanted: &Method) -> Result<(), Failure> {
        let mut call = self
            .client()
            .put_method()
            .rest_api_id(&place.api)
            .resource_id(&place.resource)
            .http_method(verb)
            .authorization_type(&wanted.authorization)
            .api_key_required(wanted.api_key_required);
        if let Some(required) = wanted.path_required {
            call = call.request_parameters(METHOD_PATH, required);
        }
        sent(call.send().await).map(drop)
    }

    async fn patch_method(&self, place: &Place, have: &Method, wanted: &Method) -> Result<(), Failure> {
        let call = self.client().update_method().rest_api_id(&place.api).resource_id(&place.resource);
        let patches = patches(have, wanted);
        sent(call.http_method("ANY").set_patch_operations(Some(patches)).send().await).map(drop)
    }

    /// Makes or replaces the integration of ANY.
    async fn put_proxy(&self, place: &Place, wanted: &Integration) -> Result<(), Failure> {
        let mut call = self
            .client()
            .put_integration()
            .rest_api_id(&place.api)
            .resource_id(&place.resource)
            .http_method("ANY")
            .r#type(IntegrationType::from(wanted.kind.as_str()))
            .integration_http_method(&wanted.http_method)
            .uri(&wanted.uri)
            .timeout_in_millis(wanted.timeout_ms);
        if let Some(path) = &wanted.path {
            call = call.request_parameters(INTEGRATION_PATH, path);
        }
        sent(call.send().await).map(drop)
    }
}

/// What makes one method of another.
fn patches(have: &Method, wanted: &Method) -> Vec<PatchOperation> {
    let mut patches = Vec::new();
    if have.authorization != wanted.authorization {
        patches.push(patch(Op::Replace, "/authorizationType", &wanted.authorization));
    }
    if have.api_key_required != wanted.api_key_required {
        patches.push(patch(Op::Replace, "/apiKeyRequired", &wanted.api_key_required.to_string()));
    }
    if let Some(required) = wanted.path_required.filter(|_| have.path_required != wanted.path_required) {
        // Of a parameter that is there already, only the value can be replaced.
        let op = if have.path_required.is_some() { Op::Replace } else { Op::Add };
        patches.push(patch(op, &format!("/requestParameters/{METHOD_PATH}"), &required.to_string()));
    }
    patches
}

/// One step of a patch.
pub(super) fn patch(op: Op, path: &str, value: &str) -> PatchOperation {
    PatchOperation::builder().op(op).path(path).value(value).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method(authorization: &str, path_required: Option<bool>) -> Method {
        Method { authorization: authorization.to_owned(), api_key_required: false, path_required }
    }

    #[test]
    fn a_patch_has_only_what_differs() {
        let patches_of = |have| patches(&have, &method("AWS_IAM", Some(true)));
        assert_eq!(patches_of(method("NONE", Some(true))), [patch(Op::Replace, "/authorizationType", "AWS_IAM")]);
        let path = "/requestParameters/method.request.path.proxy";
        assert_eq!(patches_of(method("AWS_IAM", None)), [patch(Op::Add, path, "true")]);
        assert_eq!(patches_of(method("AWS_IAM", Some(false))), [patch(Op::Replace, path, "true")]);
    }
}
