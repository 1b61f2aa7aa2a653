// A stand-in, with none of the code of the class whose name it bears: see README.md.
package io.confluent.connect.storage.partitioner;

/** Named by partitioner.class: partition=N. */
public class DefaultPartitioner {
}
