// Routes of v3.

import type { Entry } from "../routes.ts";

export const routesV3: readonly Entry[] = [];
