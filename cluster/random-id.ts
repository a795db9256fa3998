// Ids of clusters, topics and registrations: 16 random bytes in Kafka's spelling.

export interface Random {
  /** Uniform integer in [0, below). */
  integer(below: number): number;
  bytes(length: number): Uint8Array;
}

/** 22 characters of URL-safe base64, the first not "-", which tools take for an option. */
export function randomId(random: Random): string {
  const bytes = random.bytes(16);
  // The first six bits 111110 would be "-".
  if (bytes[0]! >>> 2 === 0x3e) bytes[0] = bytes[0]! & 0x7f;
  const base64 = btoa(String.fromCharCode(...bytes));
  return base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** A seeded source of randomness may begin again after a restart: then the next ids are taken. */
export function newIdBeside(taken: ReadonlyMap<string, unknown>, random: Random): string {
  for (let attempt = 0; attempt <= taken.size; attempt++) {
    const id = randomId(random);
    if (!taken.has(id)) return id;
  }
  throw new Error("the source of randomness repeats itself");
}
