// Which partition of __consumer_offsets a group lives in, and of __transaction_state a transactional id: exactly as
// in Kafka, whose folders we open and whose tools look there. One rule for both, or markers would miss offsets.

/** `count`: partitions of the internal topic, at least 1. */
export function coordinatorPartition(key: string, count: number): number {
  return Math.abs(javaHash(key)) % count;
}

/** Java's String.hashCode, on UTF-16 units with 32-bit overflow. Kafka takes 0 for what has no absolute value. */
export function javaHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
  return hash === -(2 ** 31) ? 0 : hash;
}
