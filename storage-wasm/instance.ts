// One instance of the component. It is made through jco's glue, whose third argument hands us the
// core instance; the functions over plain numbers are then called on it directly (about 10 ns,
// through the glue 2 µs).

import { instantiate, type Root } from "./dist/core.js";

/** Functions whose lowered form is their own signature: addresses, lengths, offsets as numbers. */
export type RawCore = Root["heap"] &
  Omit<Root["checksums"], "crc32c"> &
  Omit<Root["batches"], "inspect"> &
  Root["records"] &
  Root["chunks"] &
  Root["indexes"] &
  Root["compaction"] & { readonly memory: WebAssembly.Memory };

export interface Instance {
  /** The component as any host of components sees it. */
  readonly component: Root;
  readonly raw: RawCore;
}

export function createInstance(module: WebAssembly.Module): Instance {
  let exports: WebAssembly.Exports = {};
  const component = instantiate(
    () => module,
    {},
    (core, imports) => {
      const instance = new WebAssembly.Instance(core, imports);
      exports = instance.exports;
      return instance;
    },
  );
  return { component, raw: byMethodName(exports) };
}

/** "timberline:storage-core/heap@0.1.0#limit-memory" becomes limitMemory. */
function byMethodName(exports: WebAssembly.Exports): RawCore {
  const raw: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(exports)) {
    const method = name.slice(name.indexOf("#") + 1);
    raw[method.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())] = value;
  }
  return raw as unknown as RawCore;
}
