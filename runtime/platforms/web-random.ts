// Random by web standards alone, as browsers and Workers have it.

import type { Random } from "../platform.ts";

const twoTo32 = 2 ** 32;

export const webRandom: Random = {
  integer(below) {
    // What lies above the last whole multiple would make small numbers likelier.
    const draw = new Uint32Array(2);
    const range = twoTo32 * 2 ** 21;
    const limit = range - (range % below);
    for (;;) {
      const [high = 0, low = 0] = crypto.getRandomValues(draw);
      const drawn = (high % 2 ** 21) * twoTo32 + low;
      if (drawn < limit) return drawn % below;
    }
  },
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
};
