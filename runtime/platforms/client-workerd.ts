// What the client needs of a Worker: outbound TCP, and the core as a module. Asks for no compatibility flag.

import { createCore } from "../../storage-wasm/core.ts";
import coreModule from "../../storage-wasm/dist/core.wasm";
import { ownCodecs } from "../compression/own-codecs.ts";
import type { ClientPlatform } from "../platform.ts";
import { webRandom } from "./web-random.ts";
import { RestingClock } from "./workerd-clock.ts";
import { workerdDialer } from "./workerd-sockets.ts";

/** Of the 128 MB that an isolate may use. */
const coreBytesMax = 64 * 1024 * 1024;

let made: ClientPlatform | undefined;

export function clientPlatform(): ClientPlatform {
  const clock = new RestingClock();
  made ??= {
    clock,
    random: webRandom,
    core: createCore(coreModule, { memoryBytesMax: coreBytesMax }),
    codecs: ownCodecs,
    network: {
      listen: () => Promise.reject(new Error("connections come in through connect()")),
      dial: workerdDialer(clock),
    },
  };
  return made;
}
