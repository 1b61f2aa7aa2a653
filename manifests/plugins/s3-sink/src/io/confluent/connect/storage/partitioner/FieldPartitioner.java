// A stand-in, with none of the code of the class whose name it bears: see README.md.
package io.confluent.connect.storage.partitioner;

/** Named by partitioner.class: FIELD=VALUE. */
public class FieldPartitioner {
}
