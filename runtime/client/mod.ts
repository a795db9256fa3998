// What a program imports as `timberline/client`: a Kafka client for every runtime, speaking to Timberline and
// to any other Kafka. The import conditions of the package choose what runs it: sockets where there are some, HTTP
// everywhere.

import { clientPlatform } from "#client-platform";
import type { Client, ClientOptions } from "./api.ts";
import { createClient as createClientOn } from "./client.ts";

export type * from "./api.ts";
export type * from "./care-api.ts";
export { ClientError, type ClientErrorCode } from "./error.ts";
export type * from "./group-api.ts";
export type { CopyHolder, HeldCopy, MetadataCopies, MetadataCopy } from "./metadata-copies.ts";
export type * from "./transaction-api.ts";

/** Connects when first used. Throws a `ClientError` for options that cannot work. */
export function createClient(options: ClientOptions): Client {
  return createClientOn({ ...options, platform: options.platform ?? clientPlatform() });
}
