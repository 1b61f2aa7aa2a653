// A stand-in, with none of the code of the class whose name it bears: see README.md.
package io.confluent.connect.s3.storage;

/** Named by storage.class. */
public final class S3Storage {
}
