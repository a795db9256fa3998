// A route of this folder before it is one: method, path, the name of its handler, and what it is.

import type { Method } from "../route.ts";
import type { HandlerName } from "./handlers.ts";

export type Entry = readonly [Method, string, HandlerName, string];
