// A stand-in, with none of the code of the class whose name it bears: see README.md.
package io.confluent.connect.s3.format.json;

/** Named by format.class: a line of JSON for each record. */
public final class JsonFormat {
}
