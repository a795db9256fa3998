// Records of an uncompressed batch, one by one, as views of it. The storage core decodes batches as well, with a
// copy of each key and value; a start reads millions of small records once, where the copies are most of the time.

import { BrokerError } from "../errors.ts";

export interface PlainRecord {
  readonly offset: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
}

const firstRecordAt = 61;

/** Headers are passed over. Throws CORRUPT_MESSAGE where lengths do not add up. */
export function* plainRecords(batch: Uint8Array, baseOffset: number): Generator<PlainRecord> {
  let at = firstRecordAt;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = batch[at++];
      if (byte === undefined) break;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
    throw corrupt();
  };
  const bytes = (): Uint8Array | null => {
    const length = varint();
    if (length < 0) return null;
    if (at + length > batch.length) throw corrupt();
    at += length;
    return batch.subarray(at - length, at);
  };
  while (at < batch.length) {
    const length = varint();
    const end = at + length;
    if (length <= 0 || end > batch.length) throw corrupt();
    // Attributes, and a timestamp delta of up to ten bytes.
    at++;
    while ((batch[at++] ?? 0) > 127);
    const offset = baseOffset + varint();
    const key = bytes();
    const value = bytes();
    yield { offset, key, value };
    at = end;
  }
}

function corrupt(): BrokerError {
  return new BrokerError("CORRUPT_MESSAGE", "a batch of group records does not add up");
}
