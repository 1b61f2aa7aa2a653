//! What each operation of API Gateway needs to be allowed: its HTTP method, on its path
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-access-using-iam-policies-to-create-and-manage-api.html>).

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::sandbox::call::Call;
use crate::sandbox::permission::Permission;
use crate::sandbox::rest_json::has_tags;

/// What the caller needs.
pub(crate) fn needs(call: &Call) -> Vec<Permission> {
    let arn = |path: &str| format!("arn:aws:apigateway:{}::{path}", call.region);
    let path = format!("/{}", call.path.trim_matches('/'));
    let mut needed = vec![Permission::new(format!("apigateway:{}", call.method), arn(&path))];
    if call.method == "POST" && call.json().is_ok_and(|body| has_tags(&body)) {
        // What is made has no id yet, and the path of tags has the ARN encoded.
        let made = utf8_percent_encode(&arn(&format!("{path}/")), NON_ALPHANUMERIC).to_string();
        needed.push(Permission::new("apigateway:PUT", arn(&format!("/tags/{made}*"))));
    }
    needed
}
