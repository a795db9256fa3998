// The Storage suite as a Worker: an object for each case, which runs it on its own database inside workerd. The test
// file beside asks for the names and then for one case after the other.

import type { Test } from "uvu";
import type { ObjectStorage } from "../../runtime/platforms/workerd.ts";
import { openDurableObjectStorage } from "../../runtime/storage/durable-object.ts";
import { durableObjectCases } from "./durable-object-cases.ts";
import { storageSuite } from "./storage.ts";

interface Bindings {
  readonly LOG: {
    idFromName(name: string): unknown;
    get(id: unknown): { fetch(request: Request): Promise<Response> };
  };
}

type Run = (storage: ObjectStorage) => void | Promise<void>;

const cases = new Map<string, Run>(durableObjectCases);
let current: ObjectStorage | undefined;

for (const isBuffered of [false, true]) {
  /** Takes the suite's cases as `test()` would. */
  const collect = (name: string, run: () => unknown): void => {
    cases.set(isBuffered ? `buffered: ${name}` : name, async (storage) => {
      current = storage;
      await run();
    });
  };
  storageSuite(collect as unknown as Test, () => {
    if (current === undefined) throw new Error("no case runs");
    const buffer = isBuffered ? { soon: (run: () => void) => void setTimeout(run, 0) } : {};
    return openDurableObjectStorage(current, { owner: "suite", ...buffer });
  });
}

export class TimberlineLog {
  readonly #storage: ObjectStorage;

  constructor(ctx: { storage: ObjectStorage }) {
    this.#storage = ctx.storage;
  }

  async fetch(request: Request): Promise<Response> {
    const name = nameOf(request);
    try {
      await cases.get(name)?.(this.#storage);
      return new Response("passed");
    } catch (error) {
      const text = error instanceof Error ? `${error.message}\n${error.stack}` : String(error);
      return new Response(text, { status: 500 });
    }
  }
}

export default {
  async fetch(request: Request, { LOG }: Bindings): Promise<Response> {
    const name = nameOf(request);
    if (name === "") return Response.json([...cases.keys()]);
    if (name === "readyz") return new Response("ready");
    const object = new URL(request.url).searchParams.get("object") ?? name;
    return LOG.get(LOG.idFromName(object)).fetch(request);
  },
};

function nameOf(request: Request): string {
  return decodeURIComponent(new URL(request.url).pathname.slice(1));
}
