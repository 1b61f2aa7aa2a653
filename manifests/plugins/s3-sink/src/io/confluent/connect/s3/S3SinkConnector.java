// A stand-in, with none of the code of the class whose name it bears: see README.md.
package io.confluent.connect.s3;

/** Named by connector.class. */
public final class S3SinkConnector {
}
