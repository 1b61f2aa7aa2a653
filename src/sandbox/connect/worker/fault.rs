//! What goes wrong with one record, or with all of them.

/// An exception, as Kafka Connect would throw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Its class.
    pub(super) exception: &'static str,
    pub(super) message: String,
}

const DATA: &str = "org.apache.kafka.connect.errors.DataException";
const CONNECT: &str = "org.apache.kafka.connect.errors.ConnectException";
const PARTITION: &str = "io.confluent.connect.storage.errors.PartitionException";

impl Fault {
    pub(super) fn new(exception: &'static str, message: impl Into<String>) -> Self {
        Self { exception, message: message.into() }
    }

    /// A record that isn't what it should be.
    pub(super) fn data(message: impl Into<String>) -> Self {
        Self::new(DATA, message)
    }

    /// Something that the connector can't go on with.
    pub(super) fn connect(message: impl Into<String>) -> Self {
        Self::new(CONNECT, message)
    }

    /// A record for which there is no place.
    pub(super) fn partition(message: impl Into<String>) -> Self {
        Self::new(PARTITION, message)
    }

    pub(super) fn is_data(&self) -> bool {
        self.exception == DATA
    }

    pub(super) fn is_partition(&self) -> bool {
        self.exception == PARTITION
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.exception, self.message)
    }
}
