// Histograms: each value in its bucket, bounds in the exposed unit.

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  BYTES_SCALE,
  COUNT_SCALE,
  DURATION_SCALE,
  Histogram,
} from "../../../runtime/telemetry/histogram.ts";

test("observe() counts a value in the first bucket whose bound is not below it", () => {
  for (const scale of [DURATION_SCALE, BYTES_SCALE, COUNT_SCALE]) {
    const bounds = new Histogram(scale).bounds().map((bound) => bound / scale.unit);
    const values = [0, 0.5, 1, 2, 3, 1e9, 1e15];
    for (const bound of bounds) values.push(bound - 1, bound - 0.5, bound, bound + 0.5, bound + 1);
    for (const value of values) {
      const histogram = new Histogram(scale);
      histogram.observe(value);
      const expected = bounds.findIndex((bound) => value <= Math.round(bound));
      const bucket = histogram.buckets.indexOf(1);
      assert.is(bucket, expected < 0 ? bounds.length : expected, `${value}`);
    }
  }
});

test("observeMs() takes milliseconds and bounds() are seconds", () => {
  const histogram = new Histogram(DURATION_SCALE);
  histogram.observeMs(1);
  histogram.observeMs(-5);
  assert.is(histogram.sum, 1000);
  assert.is(histogram.count, 2);
  assert.is(histogram.bounds()[0], 0.000016);
  assert.is(histogram.bounds().at(-1), 16.777216);
});

test.run();
