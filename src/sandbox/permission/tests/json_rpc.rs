//! Services that speak JSON 1.1: Secrets Manager and Systems Manager.

use serde_json::json;

use super::{Test, denied, told};

/// A refusal there: whatever is wrong is 400.
fn refused(action: &str, shown: &str) -> (u16, String, String) {
    let (_, code, message) = denied("AccessDeniedException", action, shown);
    (400, code, message)
}

#[tokio::test]
async fn secrets_need_secrets_managers_actions_on_their_arns() {
    let test = Test::new().await;
    let secrets = client!(aws_sdk_secretsmanager, test, test.session);
    // Secrets Manager calls a secret as the caller does.
    let tag = aws_sdk_secretsmanager::types::Tag::builder().key("a").value("b").build();
    let create =
        async |name: &str| secrets.create_secret().name(name).secret_string("x").tags(tag.clone()).send().await;
    let arn = |name: &str| format!("arn:aws:secretsmanager:us-east-1:000000000000:secret:{name}");
    let any = [arn("a-??????"), arn("a-*")];
    assert_eq!(told(&create("a").await.unwrap_err()), refused("secretsmanager:CreateSecret", "a"));
    test.allow(&[("secretsmanager:CreateSecret", &any[0])]).await;
    assert_eq!(told(&create("a").await.unwrap_err()), refused("secretsmanager:TagResource", "a"));
    test.allow(&[("secretsmanager:CreateSecret", &any[0]), ("secretsmanager:TagResource", &any[1])]).await;
    let made = create("a").await.unwrap();
    assert_eq!(told(&create("b").await.unwrap_err()), refused("secretsmanager:CreateSecret", "b"));

    let get = async |id: &str| secrets.get_secret_value().secret_id(id).send().await;
    let own = made.arn().unwrap();
    assert_eq!(told(&get("a").await.unwrap_err()), refused("secretsmanager:GetSecretValue", "a"));
    assert_eq!(told(&get(own).await.unwrap_err()), refused("secretsmanager:GetSecretValue", own));
    test.allow(&[("secretsmanager:GetSecretValue", own)]).await;
    for id in ["a", own] {
        assert_eq!(get(id).await.unwrap().secret_string(), Some("x"));
    }
    let delete = secrets.delete_secret().secret_id("a").send().await.unwrap_err();
    assert_eq!(told(&delete), refused("secretsmanager:DeleteSecret", "a"));
    test.allow(&[("secretsmanager:*", &arn("*"))]).await;
    let missing = get("b").await.unwrap_err();
    assert_eq!((told(&missing).0, told(&missing).1.as_str()), (400, "ResourceNotFoundException"));
    let list = async || secrets.list_secrets().send().await;
    assert_eq!(told(&list().await.unwrap_err()), refused("secretsmanager:ListSecrets", "*"));
    test.allow(&[("secretsmanager:ListSecrets", "*")]).await;
    assert_eq!(list().await.unwrap().secret_list().len(), 1);
}

#[tokio::test]
async fn commands_need_their_document_and_each_of_their_instances() {
    let test = Test::new().await;
    let ssm = client!(aws_sdk_ssm, test, test.session);
    let id = "i-0123456789abcdef0";
    let declared = json!({"id": id, "tags": {"team": "data"}}).to_string();
    let declare = reqwest::Client::new().post(format!("{}/_sandbox/instance", test.sandbox.endpoint())).body(declared);
    assert_eq!(declare.send().await.unwrap().status(), 200);
    let document = "arn:aws:ssm:us-east-1::document/AWS-RunShellScript";
    let instance = format!("arn:aws:ec2:us-east-1:000000000000:instance/{id}");
    let send = async || {
        let call =
            ssm.send_command().document_name("AWS-RunShellScript").parameters("commands", vec!["true".to_owned()]);
        call.instance_ids(id).send().await
    };
    assert_eq!(told(&send().await.unwrap_err()), refused("ssm:SendCommand", document));
    test.allow(&[("ssm:SendCommand", document)]).await;
    assert_eq!(told(&send().await.unwrap_err()), refused("ssm:SendCommand", &instance));
    test.allow(&[("ssm:SendCommand", document), ("ssm:SendCommand", "arn:aws:ec2:*:*:instance/*")]).await;
    send().await.unwrap();
    let tagged = |team: &str| {
        let on = json!({"StringEquals": {"ssm:resourceTag/team": team}});
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "ssm:SendCommand", "Resource": document},
            {"Effect": "Allow", "Action": "ssm:SendCommand", "Resource": "*", "Condition": on}]})
        .to_string()
    };
    test.put_policy(&tagged("web")).await;
    assert_eq!(told(&send().await.unwrap_err()), refused("ssm:SendCommand", &instance));
    test.put_policy(&tagged("data")).await;
    send().await.unwrap();
    let list = async || ssm.list_commands().send().await;
    let all = "arn:aws:ssm:us-east-1:000000000000:*";
    assert_eq!(told(&list().await.unwrap_err()), refused("ssm:ListCommands", all));
    test.allow(&[("ssm:List*", "*")]).await;
    assert_eq!(list().await.unwrap().commands().len(), 2);
}
