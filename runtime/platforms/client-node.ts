// What the client needs of Node: the part of its platform that does not serve.

import type { ClientPlatform } from "../platform.ts";
import { freeChunk, keepFreedMemory } from "./chunk-memory.ts";
import { clientPartsWithNodeModules } from "./node-client-parts.ts";

let made: ClientPlatform | undefined;

export function clientPlatform(): ClientPlatform {
  if (made === undefined) {
    keepFreedMemory();
    made = clientPartsWithNodeModules({ discard: freeChunk, readsInPlace: true });
  }
  return made;
}
