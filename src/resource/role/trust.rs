//! Who may assume the role: the statements of its trust policy, named so that ours are known among others.

use sha2::{Digest, Sha256};

use crate::iam_document::Statement;
use crate::manifest::Trust;
use crate::resource::Context;

const ASSUME: [&str; 1] = ["sts:AssumeRole"];
const KAFKA_CONNECT: &str = "kafkaconnect.amazonaws.com";
/// What each of our statements' names starts with.
const MARK: &str = "Pipeline";
/// What follows the mark, or the pipeline's name.
const KINDS: [&str; 5] = ["KafkaConnect", "Ec2", "Self", "Service", "Arn"];
/// The most that is kept of a name that a statement's name tells. Its hash tells it apart.
const LONGEST_WORD: usize = 40;

/// What this manifest has a role trust.
#[derive(Debug)]
pub(super) struct TrustPolicy {
    trusted: Vec<Trust>,
    /// What our statements' names start with.
    prefix: String,
    account: String,
    /// The connectors on whose behalf MSK Connect may assume the role.
    connectors: String,
}

impl TrustPolicy {
    /// That of a role which is ours: its statements have plain names.
    pub(super) fn of_owned(context: &Context, trusted: &[Trust], connector: Option<&str>) -> Self {
        Self::new(context, trusted, connector, MARK.to_owned())
    }

    /// That of a role which is shared: its statements' names carry the pipeline's. The hash keeps pipelines apart
    /// whose names differ in what a statement's name can't hold: `a-b` and `ab`.
    pub(super) fn of_shared(context: &Context, trusted: &[Trust], connector: Option<&str>) -> Self {
        let key = context.tags.shared_key();
        let name = key.strip_prefix("pipeline:").unwrap_or(&key);
        let prefix = format!("{MARK}{}{}", camel_case(name), short_hash(&key));
        Self::new(context, trusted, connector, prefix)
    }

    fn new(context: &Context, trusted: &[Trust], connector: Option<&str>, prefix: String) -> Self {
        let clients = &context.clients;
        let (partition, region, account) = (&clients.partition, &clients.region, &clients.account);
        // A connector's ARN ends in an id that is not known before it exists.
        let connector = connector.map(|name| format!("{name}/*")).unwrap_or_else(|| "*".to_owned());
        Self {
            trusted: trusted.to_vec(),
            prefix,
            account: account.clone(),
            connectors: format!("arn:{partition}:kafkaconnect:{region}:{account}:connector/{connector}"),
        }
    }

    /// All statements, for the role of that ARN.
    pub(super) fn statements(&self, role: &str) -> Vec<Statement> {
        let mut statements: Vec<Statement> = Vec::new();
        for trusted in &self.trusted {
            let statement = self.statement(trusted, role);
            if statements.iter().all(|earlier| earlier.sid != statement.sid) {
                statements.push(statement);
            }
        }
        statements
    }

    /// Those that a role can be created with: IAM knows no principal that does not exist yet.
    pub(super) fn statements_at_creation(&self) -> Vec<Statement> {
        let itself = self.sid("Self");
        self.statements("").into_iter().filter(|statement| statement.sid.as_ref() != Some(&itself)).collect()
    }

    /// The statement that trusts nobody, which stands where there is no other: a trust policy can't be empty.
    pub(super) fn nobody(&self) -> Statement {
        Statement::deny(&self.sid("Nobody")).to("AWS", "*").doing(ASSUME)
    }

    /// Whether the role is to trust itself.
    pub(super) fn names_itself(&self) -> bool {
        self.trusted.contains(&Trust::Itself)
    }

    /// Whether EC2 instances are to work as the role.
    pub(super) fn names_ec2(&self) -> bool {
        self.trusted.iter().any(Trust::is_ec2)
    }

    /// Whether a statement is one that this pipeline made, now or under an earlier manifest.
    pub(super) fn is_ours(&self, statement: &Statement) -> bool {
        let rest = statement.sid.as_ref().and_then(|sid| sid.strip_prefix(&self.prefix));
        rest.is_some_and(|rest| KINDS.iter().any(|kind| rest.starts_with(kind)))
    }

    /// Whether it is the statement by which the role trusts itself.
    pub(super) fn is_self(&self, statement: &Statement) -> bool {
        statement.sid.as_ref().is_some_and(|sid| *sid == self.sid("Self"))
    }

    fn statement(&self, trusted: &Trust, role: &str) -> Statement {
        match trusted {
            // Only MSK Connect tells on whose behalf it assumes a role. On EC2's statement these conditions would
            // never hold, and the instance profile would not work.
            Trust::Service(service) if service == KAFKA_CONNECT => self
                .allow("KafkaConnect")
                .to("Service", service)
                .when("StringEquals", "aws:SourceAccount", &self.account)
                .when("ArnLike", "aws:SourceArn", &self.connectors),
            Trust::Service(service) if trusted.is_ec2() => self.allow("Ec2").to("Service", service),
            Trust::Service(service) => {
                let word = camel_case(service.split(".amazonaws").next().unwrap_or(service));
                self.allow(&format!("Service{word}{}", short_hash(service))).to("Service", service)
            }
            Trust::Itself => self.allow("Self").to("AWS", role),
            Trust::Arn(arn) => self.allow(&format!("Arn{}", short_hash(arn))).to("AWS", arn),
        }
    }

    fn allow(&self, kind: &str) -> Statement {
        Statement::allow(&self.sid(kind)).doing(ASSUME)
    }

    fn sid(&self, kind: &str) -> String {
        format!("{}{kind}", self.prefix)
    }
}

/// A name in the only characters that a statement's name may have: `pinterest:dev` becomes `PinterestDev`.
fn camel_case(name: &str) -> String {
    let words = name.split(|character: char| !character.is_ascii_alphanumeric());
    let capitalized = words.flat_map(|word| {
        let first = word.chars().next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(word.chars().skip(1))
    });
    capitalized.take(LONGEST_WORD).collect()
}

fn short_hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text)[..4])
}
