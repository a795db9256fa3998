// Request and response headers. A flexible request has header v2 (tagged fields after the client id), others
// v1; the answer to a flexible request has header v1, except ApiVersions, whose answer is always v0 because a
// client must be able to read it before it knows what the broker speaks.

import type { Reader } from "./reader.ts";
import type { Api } from "./schema.ts";
import type { Writer } from "./writer.ts";

export interface RequestHeader {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
}

const apiVersionsKey = 18;

/** Key, version and correlation id are at the same place in every header version. */
export function readRequestPrefix(reader: Reader): Omit<RequestHeader, "clientId"> {
  return { apiKey: reader.int16(), apiVersion: reader.int16(), correlationId: reader.int32() };
}

/** The rest of the header, known how to read once the API is. The client id is never compact. */
export function readClientId(reader: Reader, flexible: boolean): string | null {
  const length = reader.int16();
  const clientId = length === -1 ? null : reader.string(length);
  if (flexible) reader.skipTagged();
  return clientId;
}

/** Client side. */
export function writeRequestHeader(
  writer: Writer,
  api: Pick<Api, "key" | "isFlexible">,
  header: Omit<RequestHeader, "apiKey">,
): void {
  writer.int16(api.key);
  writer.int16(header.apiVersion);
  writer.int32(header.correlationId);
  if (header.clientId === null) writer.int16(-1);
  else writer.string(header.clientId, false);
  if (api.isFlexible(header.apiVersion)) writer.uvarint(0);
}

export function writeResponseHeader(
  writer: Writer,
  api: Pick<Api, "key" | "isFlexible">,
  header: { readonly apiVersion: number; readonly correlationId: number },
): void {
  writer.int32(header.correlationId);
  if (hasTaggedResponseHeader(api, header.apiVersion)) writer.uvarint(0);
}

/** Client side: reads the rest of the header after the correlation id. */
export function skipResponseHeaderTags(
  reader: Reader,
  api: Pick<Api, "key" | "isFlexible">,
  apiVersion: number,
): void {
  if (hasTaggedResponseHeader(api, apiVersion)) reader.skipTagged();
}

function hasTaggedResponseHeader(api: Pick<Api, "key" | "isFlexible">, version: number): boolean {
  return api.key !== apiVersionsKey && api.isFlexible(version);
}
