// The four formats without help of the runtime: for browsers and Workers, where there is no `node:zlib`.

import type { Codecs } from "../platform.ts";
import { gzip } from "./gzip.ts";
import { lz4 } from "./lz4.ts";
import { snappy } from "./snappy.ts";
import { zstd } from "./zstd.ts";

export const ownCodecs: Codecs = { gzip, snappy, lz4, zstd };
