// The storage core inside workerd, which compiles no WebAssembly at run time: the module is imported.

import { type Core, createCore } from "../../storage-wasm/core.ts";
import coreModule from "../../storage-wasm/dist/core.wasm";

/** Of the 128 MB that an isolate may use: requests in flight, indexes and scratch space. */
const coreBytesMax = 64 * 1024 * 1024;

export function workerdCore(): Core {
  return createCore(coreModule, { memoryBytesMax: coreBytesMax });
}
