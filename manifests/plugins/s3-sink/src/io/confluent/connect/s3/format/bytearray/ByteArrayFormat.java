// A stand-in, with none of the code of the class whose name it bears: see README.md.
package io.confluent.connect.s3.format.bytearray;

/** Named by format.class: the bytes of each record. */
public final class ByteArrayFormat {
}
