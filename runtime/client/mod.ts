// What a program imports as `timberline/client`: a Kafka client for every runtime, speaking to Timberline and
// to any other Kafka.

export type * from "./api.ts";
export type * from "./care-api.ts";
export { createClient } from "./client.ts";
export { ClientError, type ClientErrorCode } from "./error.ts";
export type * from "./group-api.ts";
export type { CopyHolder, HeldCopy, MetadataCopies, MetadataCopy } from "./metadata-copies.ts";
export type * from "./transaction-api.ts";
