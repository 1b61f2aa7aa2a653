//! What documents say to a request.
//!
//! Rules: AWS's "Policy evaluation logic": an explicit deny wins, then an allow, then an implicit deny.

use super::context::Context;
use super::documents::{Document, Effect, Principals, Selection, Statement};
use super::wildcard::{Case, Pattern};

/// One request, as documents see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    /// `s3:PutObject`
    pub(super) action: &'a str,
    /// An ARN, or `*` for actions that know no resources.
    pub(super) resource: &'a str,
    /// By which names trust policies know who asks; identity policies ask for none.
    pub(super) who: &'a [Identity],
    pub(super) context: &'a Context,
}

/// One name of who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// A service: `kafkaconnect.amazonaws.com`.
    Service(String),
    /// A user or role by unique id, a session as `ID:SESSION`, or an account by the ARN of its root.
    Aws(String),
}

/// What the documents say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    Denied,
    /// Nothing applies, which is a denial unless another document allows.
    Silent,
}

/// Asks all documents.
pub(super) fn verdict<'a>(documents: impl IntoIterator<Item = &'a Document>, question: &Question<'_>) -> Verdict {
    let mut verdict = Verdict::Silent;
    for statement in documents.into_iter().flat_map(|document| &document.statements) {
        if statement.applies(question) {
            match statement.effect {
                Effect::Deny => return Verdict::Denied,
                Effect::Allow => verdict = Verdict::Allowed,
            }
        }
    }
    verdict
}

impl Statement {
    fn applies(&self, question: &Question<'_>) -> bool {
        self.principals.include(question.who)
            && self.actions.has(|pattern| matches_action(pattern, question.action))
            && self.resources.has(|pattern| matches_resource(pattern, question))
            && self.conditions.iter().all(|condition| condition.holds(question.context))
    }
}

impl Selection {
    fn has(&self, matches: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::These(patterns) => patterns.iter().any(|pattern| matches(pattern)),
            Self::AllBut(patterns) => !patterns.iter().any(|pattern| matches(pattern)),
            Self::Everything => true,
        }
    }
}

/// Action names have no case, and no variables.
fn matches_action(pattern: &str, action: &str) -> bool {
    Pattern::new(pattern, &Context::default()).is_some_and(|pattern| pattern.matches(action, Case::Ignored))
}

fn matches_resource(pattern: &str, question: &Question<'_>) -> bool {
    pattern == "*"
        || Pattern::new(pattern, question.context).is_some_and(|pattern| pattern.matches_arn(question.resource))
}

impl Principals {
    fn include(&self, who: &[Identity]) -> bool {
        // Identity policies name no principals: they are about whom they are attached to.
        if who.is_empty() {
            return true;
        }
        who.iter().any(|identity| self.name(identity)) != self.except
    }

    fn name(&self, identity: &Identity) -> bool {
        match identity {
            Identity::Service(name) => self.services.contains(name),
            Identity::Aws(name) => self.aws.iter().any(|own| own == "*" || own == name),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::{Value, json};

    use super::super::documents::Kind;
    use super::*;

    fn ask(statements: Value, action: &str, resource: &str) -> Verdict {
        let document = json!({"Version": "2012-10-17", "Statement": statements});
        let document = Document::parse(&document.to_string(), Kind::Identity).unwrap();
        let context = Context::default().with("aws:PrincipalAccount", "000000000000");
        verdict([&document], &Question { action, resource, who: &[], context: &context })
    }

    #[test]
    fn an_explicit_deny_wins_over_any_allow() {
        let statements = json!([
            {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::b/secret/*"},
            {"Effect": "Allow", "Action": ["s3:Get*", "s3:putobject"], "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]},
        ]);
        assert_eq!(ask(statements.clone(), "s3:GetObject", "arn:aws:s3:::b/a/b"), Verdict::Allowed);
        assert_eq!(ask(statements.clone(), "s3:PutObject", "arn:aws:s3:::b/a"), Verdict::Allowed);
        assert_eq!(ask(statements.clone(), "s3:GetObject", "arn:aws:s3:::b/secret/a"), Verdict::Denied);
        assert_eq!(ask(statements.clone(), "s3:DeleteObject", "arn:aws:s3:::b/a"), Verdict::Silent);
        assert_eq!(ask(statements, "s3:GetObject", "arn:aws:s3:::c/a"), Verdict::Silent);
    }

    #[test]
    fn not_elements_select_the_others() {
        let statements = json!({"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::b/*"});
        assert_eq!(ask(statements.clone(), "s3:GetObject", "arn:aws:s3:::c/a"), Verdict::Allowed);
        assert_eq!(ask(statements.clone(), "s3:GetObject", "arn:aws:s3:::b/a"), Verdict::Silent);
        assert_eq!(ask(statements, "iam:GetRole", "arn:aws:iam::000000000000:role/r"), Verdict::Silent);
    }

    #[test]
    fn all_conditions_must_hold() {
        let statements = |account: &str| {
            json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {
                "StringEquals": {"aws:PrincipalAccount": account}, "Null": {"aws:SourceIp": "true"}}})
        };
        assert_eq!(ask(statements("000000000000"), "s3:ListAllMyBuckets", "*"), Verdict::Allowed);
        assert_eq!(ask(statements("123456789012"), "s3:ListAllMyBuckets", "*"), Verdict::Silent);
    }

    #[test]
    fn an_action_without_resources_needs_a_star() {
        let statements = json!({"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::b"});
        assert_eq!(ask(statements, "kafka:ListClustersV2", "*"), Verdict::Silent);
    }

    #[test]
    fn trust_is_about_who_asks() {
        let document = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com", "AWS": "AROAONE"}, "Action": "sts:AssumeRole"},
            {"Effect": "Deny", "NotPrincipal": {"AWS": ["AROAONE", "AROATWO"]}, "Action": "sts:TagSession"}]});
        let document = Document::parse(&document.to_string(), Kind::Trust).unwrap();
        let ask = |action: &str, who: Identity| {
            let question = Question { action, resource: "*", who: &[who], context: &Context::default() };
            verdict([&document], &question)
        };
        let aws = |id: &str| Identity::Aws(id.to_owned());
        assert_eq!(ask("sts:AssumeRole", Identity::Service("ec2.amazonaws.com".to_owned())), Verdict::Allowed);
        assert_eq!(ask("sts:AssumeRole", aws("ec2.amazonaws.com")), Verdict::Silent);
        assert_eq!(ask("sts:AssumeRole", aws("AROAONE")), Verdict::Allowed);
        assert_eq!(ask("sts:AssumeRole", aws("AROATWO")), Verdict::Silent);
        assert_eq!(ask("sts:TagSession", aws("AROATWO")), Verdict::Silent);
        assert_eq!(ask("sts:TagSession", aws("AROATHREE")), Verdict::Denied);
    }
}
