// Histogram: counts in fixed buckets whose bounds are powers of two, the same on every broker, so that they can
// be added up. Observing is a bit count and an addition.

export interface HistogramScale {
  /** Bounds are 2^exponentMin … 2^exponentMax of the observed unit; above them is one more bucket. */
  readonly exponentMin: number;
  readonly exponentMax: number;
  /** What one observed unit is in the exposed one: microseconds are 1e-6 seconds. */
  readonly unit: number;
}

/** 16 µs to 16.8 s, in three halvings per decade. */
export const DURATION_SCALE: HistogramScale = { exponentMin: 4, exponentMax: 24, unit: 1e-6 };
/** 64 B to 128 MiB. */
export const BYTES_SCALE: HistogramScale = { exponentMin: 6, exponentMax: 27, unit: 1 };
/** 1 to 65,536. */
export const COUNT_SCALE: HistogramScale = { exponentMin: 0, exponentMax: 16, unit: 1 };

const UINT32_MAX = 2 ** 32 - 1;

export class Histogram {
  readonly scale: HistogramScale;
  /** Not cumulative; the last one is what lies above the largest bound. */
  readonly buckets: Float64Array;
  sum = 0;
  count = 0;

  constructor(scale: HistogramScale) {
    this.scale = scale;
    this.buckets = new Float64Array(scale.exponentMax - scale.exponentMin + 2);
  }

  /** Value in the observed unit: microseconds, bytes, a count. Negative counts as 0. */
  observe(value: number): void {
    const { exponentMin } = this.scale;
    const exponent = value <= 1 ? 0 : 32 - Math.clz32(Math.min(Math.ceil(value), UINT32_MAX) - 1);
    const last = this.buckets.length - 1;
    const bucket = exponent <= exponentMin ? 0 : Math.min(exponent - exponentMin, last);
    this.buckets[bucket]! += 1;
    this.sum += Math.max(0, value);
    this.count += 1;
  }

  /** For histograms of durations. */
  observeMs(ms: number): void {
    this.observe(ms * 1000);
  }

  /** Upper bounds in the exposed unit, without the infinite one. */
  bounds(): number[] {
    const { exponentMin, exponentMax, unit } = this.scale;
    return Array.from({ length: exponentMax - exponentMin + 1 }, (_, index) => {
      const bound = 2 ** (exponentMin + index) * unit;
      return Number(bound.toPrecision(12));
    });
  }
}
