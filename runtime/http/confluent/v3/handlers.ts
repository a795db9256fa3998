// What the routes of v3 do, by name.

import type { KeylessPartitioner } from "../../../partitioner.ts";
import type { Door } from "../../route.ts";

export function handlersV3(_door: Door, _keyless: KeylessPartitioner) {
  return {};
}
