// The platform of this process: made once, when the first command needs it, for it holds the compiled core.

import { createPlatform } from "#platform";
import type { Platform } from "../platform.ts";

let made: Platform | undefined;

export function thePlatform(): Platform {
  made ??= createPlatform();
  return made;
}
