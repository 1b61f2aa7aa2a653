//! Who may reach a provisioned cluster, and how: its authentication, the encryption of its clients' connections, and its
//! public access. All of it stands in the cluster's settings, which have the form of a description.

use serde_json::{Value, json};

use super::creation::merge;
use crate::sandbox::call::Refusal;
use crate::sandbox::rest_json::bad_request;

/// The ways to authenticate that need TLS, as settings name them.
const WITH_TLS: [&str; 3] = ["sasl/iam", "sasl/scram", "tls"];

const PUBLIC: &str = "SERVICE_PROVIDED_EIPS";

/// Whether a way to authenticate is on: `unauthenticated`, `tls`, `sasl/iam`, `sasl/scram`.
pub(super) fn enables(settings: &Value, method: &str) -> bool {
    let pointer = format!("/clientAuthentication/{method}/enabled");
    settings.pointer(&pointer).and_then(Value::as_bool).unwrap_or(false)
}

/// What clients' connections may be: `TLS`, `TLS_PLAINTEXT` or `PLAINTEXT`.
pub(super) fn in_transit(settings: &Value) -> Option<&str> {
    settings.pointer("/encryptionInfo/encryptionInTransit/clientBroker").and_then(Value::as_str)
}

/// Whether clients outside of the VPC may reach the brokers.
pub(super) fn is_public(settings: &Value) -> bool {
    settings.pointer("/brokerNodeGroupInfo/connectivityInfo/publicAccess/type").is_some_and(|it| it == PUBLIC)
}

/// Turns public access on, and off what can't be on with it.
pub(super) fn open(settings: &mut Value) {
    let changes = json!({
        "brokerNodeGroupInfo": {"connectivityInfo": {"publicAccess": {"type": PUBLIC}}},
        "clientAuthentication": {"unauthenticated": {"enabled": false}},
        "encryptionInfo": {"encryptionInTransit": {"clientBroker": "TLS"}},
    });
    merge(settings, &changes);
}

/// Turns public access off, and nothing else: as with AWS, what was turned off for it stays off.
pub(super) fn close(settings: &mut Value) {
    merge(settings, &json!({"brokerNodeGroupInfo": {"connectivityInfo": {"publicAccess": {"type": "DISABLED"}}}}));
}

/// Refuses settings that an existing cluster can't have.
///
/// # Errors
/// `BadRequestException` where nobody could log in, where what needs TLS is to do without, and where public access is on
/// and AWS's conditions for that don't hold.
pub(super) fn check(settings: &Value) -> Result<(), Refusal> {
    if !enables(settings, "unauthenticated") && !has_authentication(settings) {
        return Err(bad_request("Turn on at least one way to authenticate.").at_parameter("clientAuthentication"));
    }
    check_encryption(settings)?;
    if is_public(settings) { check_public(settings) } else { Ok(()) }
}

fn has_authentication(settings: &Value) -> bool {
    WITH_TLS.iter().any(|method| enables(settings, method))
}

/// Refuses to let what needs TLS do without it.
///
/// # Errors
/// `BadRequestException`.
pub(super) fn check_encryption(settings: &Value) -> Result<(), Refusal> {
    if in_transit(settings) == Some("PLAINTEXT") && has_authentication(settings) {
        return Err(bad_request("You can't use PLAINTEXT alone with client authentication: use TLS or TLS_PLAINTEXT.")
            .at_parameter("clientBroker"));
    }
    Ok(())
}

/// The conditions of <https://docs.aws.amazon.com/msk/latest/developerguide/public-access.html>.
fn check_public(settings: &Value) -> Result<(), Refusal> {
    let fault =
        |what: &str, parameter: &str| Err(bad_request(format!("Public access needs {what}.")).at_parameter(parameter));
    if enables(settings, "unauthenticated") {
        return fault("unauthenticated access to be turned off", "unauthenticated");
    }
    if !has_authentication(settings) {
        return fault("SASL/IAM, SASL/SCRAM or mutual TLS to be turned on", "clientAuthentication");
    }
    if in_transit(settings) != Some("TLS") {
        return fault(
            "plaintext between clients and brokers to be turned off: clientBroker must be TLS",
            "clientBroker",
        );
    }
    if settings.pointer("/encryptionInfo/encryptionInTransit/inCluster") == Some(&Value::Bool(false)) {
        return fault("encryption within the cluster to be turned on", "inCluster");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{check, close, is_public, merge, open};

    fn settings(over: &Value) -> Value {
        let mut settings = json!({
            "brokerNodeGroupInfo": {"connectivityInfo": {"publicAccess": {"type": "DISABLED"}}},
            "clientAuthentication": {"sasl": {"iam": {"enabled": true}}, "unauthenticated": {"enabled": true}},
            "encryptionInfo": {"encryptionInTransit": {"clientBroker": "TLS_PLAINTEXT", "inCluster": true}},
        });
        merge(&mut settings, over);
        settings
    }

    fn fault(settings: &Value) -> Option<String> {
        check(settings).err().and_then(|refusal| refusal.parameter)
    }

    #[test]
    fn public_access_turns_off_what_aws_does_not_allow_with_it() {
        let mut settings = settings(&json!({}));
        assert_eq!((fault(&settings), is_public(&settings)), (None, false));
        open(&mut settings);
        assert_eq!((fault(&settings), is_public(&settings)), (None, true));
        for (change, parameter) in [
            (json!({"clientAuthentication": {"unauthenticated": {"enabled": true}}}), "unauthenticated"),
            (json!({"clientAuthentication": {"sasl": {"iam": {"enabled": false}}}}), "clientAuthentication"),
            (json!({"encryptionInfo": {"encryptionInTransit": {"clientBroker": "TLS_PLAINTEXT"}}}), "clientBroker"),
            (json!({"encryptionInfo": {"encryptionInTransit": {"inCluster": false}}}), "inCluster"),
        ] {
            let mut wrong = settings.clone();
            merge(&mut wrong, &change);
            assert_eq!(fault(&wrong).as_deref(), Some(parameter), "{change}");
        }
        close(&mut settings);
        assert_eq!((fault(&settings), is_public(&settings)), (None, false));
        assert_eq!(settings["clientAuthentication"]["unauthenticated"]["enabled"], false);
    }

    #[test]
    fn somebody_can_log_in_and_what_needs_tls_has_it() {
        let nobody = json!({"clientAuthentication": {
            "sasl": {"iam": {"enabled": false}}, "unauthenticated": {"enabled": false}}});
        assert_eq!(fault(&settings(&nobody)).as_deref(), Some("clientAuthentication"));
        let plaintext = json!({"encryptionInfo": {"encryptionInTransit": {"clientBroker": "PLAINTEXT"}}});
        assert_eq!(fault(&settings(&plaintext)).as_deref(), Some("clientBroker"));
    }
}
