// What the client needs of Node: the part of its platform that does not serve.

import type { ClientPlatform } from "../platform.ts";
import { freeChunk } from "./chunk-memory.ts";
import { clientPartsWithNodeModules } from "./node-client-parts.ts";

let made: ClientPlatform | undefined;

export function clientPlatform(): ClientPlatform {
  made ??= clientPartsWithNodeModules({ discard: freeChunk, readsInPlace: true });
  return made;
}
