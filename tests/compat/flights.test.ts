// 30,000 of the real flights, through every way in and out, kill -9 and three runtimes, in every run of the suite.
// `flights.slow.test.ts` does the same with all 3,000,000 and keeps the figures.
// Time limit: 120 s

import { test } from "uvu";
import { proveFlights } from "./flights-proof.ts";

proveFlights({ flights: 30_000, segmentBytes: 1 << 20, everyReader: false });

test.run();
