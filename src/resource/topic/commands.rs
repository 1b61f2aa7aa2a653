//! What is to be done to topics, as commands of Apache Kafka's own tools: the last resort where brokers can't be reached
//! from here.

use std::collections::BTreeMap;

use crate::client_host::login;
use crate::engine::Change;
use crate::manifest::{Auth, Topic};
use crate::shell;

/// The file that the commands read how to log in from.
const PROPERTIES: &str = "client.properties";

/// Commands for the brokers of one listener.
#[derive(Debug)]
pub(crate) struct Commands<'a> {
    pub(crate) servers: &'a str,
    pub(crate) auth: &'a Auth,
    /// Whether the cluster chooses how many replicas there are.
    pub(crate) is_serverless: bool,
}

impl Commands<'_> {
    /// What the file says that the commands read; empty where they need none.
    pub(crate) fn properties(&self) -> Vec<String> {
        let pairs = login(self.auth, "FILE WITH THE KEY AND THE CERTIFICATE", None).into_iter();
        pairs.map(|(key, value)| format!("{key}={value}")).collect()
    }

    /// Creates a topic, unless it exists.
    pub(crate) fn create(&self, topic: &Topic) -> String {
        let mut command = format!(
            "{} --create --if-not-exists --topic {} --partitions {}",
            self.tool("kafka-topics.sh"),
            quoted(&topic.name),
            topic.partitions
        );
        if !self.is_serverless {
            command.push_str(&format!(" --replication-factor {}", topic.replication_factor));
        }
        for (key, value) in &topic.config {
            command.push_str(&format!(" --config {}", quoted(&format!("{key}={value}"))));
        }
        command
    }

    /// Changes a topic that exists: what differs, where that is known, and otherwise all that can be set twice.
    pub(crate) fn update(&self, topic: &Topic, change: Option<&Change>) -> Vec<String> {
        let mut commands = Vec::new();
        if change.is_some_and(|change| change.touches("partitions")) {
            let tool = self.tool("kafka-topics.sh");
            commands.push(format!("{tool} --alter --topic {} --partitions {}", quoted(&topic.name), topic.partitions));
        }
        if change.is_none_or(|change| change.touches("config")) && !topic.config.is_empty() {
            commands.push(format!(
                "{} --alter --entity-type topics --entity-name {} --add-config {}",
                self.tool("kafka-configs.sh"),
                quoted(&topic.name),
                quoted(&settings(&topic.config))
            ));
        }
        commands
    }

    fn tool(&self, name: &str) -> String {
        let command = format!("{name} --bootstrap-server {}", self.servers);
        if self.properties().is_empty() { command } else { format!("{command} --command-config {PROPERTIES}") }
    }
}

/// `a=1,b=[x,y]`: kafka-configs.sh wants brackets around what has commas.
fn settings(config: &BTreeMap<String, String>) -> String {
    let setting = |(key, value): (&String, &String)| {
        if value.contains(',') { format!("{key}=[{value}]") } else { format!("{key}={value}") }
    };
    config.iter().map(setting).collect::<Vec<_>>().join(",")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-=:/,".contains(c);
    if word.chars().all(is_plain) { word.to_owned() } else { shell::quoted(word) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic() -> Topic {
        let config = [("cleanup.policy", "compact,delete"), ("retention.ms", "1")];
        let config = config.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        Topic { name: "u.pin".to_owned(), partitions: 6, replication_factor: 3, config, retain: false }
    }

    #[test]
    fn the_commands_say_what_is_declared() {
        let commands = Commands { servers: "b-1:9098,b-2:9098", auth: &Auth::Iam, is_serverless: false };
        assert_eq!(
            commands.create(&topic()),
            "kafka-topics.sh --bootstrap-server b-1:9098,b-2:9098 --command-config client.properties --create \
             --if-not-exists --topic u.pin --partitions 6 --replication-factor 3 --config \
             cleanup.policy=compact,delete --config retention.ms=1"
        );
        assert_eq!(
            commands.update(&topic(), None),
            ["kafka-configs.sh --bootstrap-server b-1:9098,b-2:9098 --command-config client.properties --alter \
              --entity-type topics --entity-name u.pin --add-config \
              'cleanup.policy=[compact,delete],retention.ms=1'"]
        );
    }

    #[test]
    fn a_serverless_cluster_chooses_its_replicas_and_plaintext_needs_no_file() {
        let commands = Commands { servers: "b:9092", auth: &Auth::Plaintext, is_serverless: true };
        let create = commands.create(&topic());
        assert!(!create.contains("--replication-factor") && !create.contains("--command-config"), "{create}");
    }
}
