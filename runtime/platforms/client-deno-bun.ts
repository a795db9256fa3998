// What the client needs of Deno and Bun, which have node:* modules too: the part of their platforms that does not serve.

import type { ClientPlatform } from "../platform.ts";
import { clientPartsWithNodeModules } from "./node-client-parts.ts";

let made: ClientPlatform | undefined;

export function clientPlatform(): ClientPlatform {
  made ??= clientPartsWithNodeModules();
  return made;
}
