// What the client needs of a Worker: outbound TCP, and the core as a module. Asks for no compatibility flag.

import { ownCodecs } from "../compression/own-codecs.ts";
import type { ClientPlatform } from "../platform.ts";
import { webRandom } from "./web-random.ts";
import { RestingClock } from "./workerd-clock.ts";
import { workerdCore } from "./workerd-core.ts";
import { workerdDialer } from "./workerd-sockets.ts";

let made: ClientPlatform | undefined;

export function clientPlatform(): ClientPlatform {
  made ??= newPlatform();
  return made;
}

function newPlatform(): ClientPlatform {
  const clock = new RestingClock();
  return {
    clock,
    random: webRandom,
    core: workerdCore(),
    codecs: ownCodecs,
    network: {
      listen: () => Promise.reject(new Error("connections come in through connect()")),
      dial: workerdDialer(clock),
    },
  };
}
