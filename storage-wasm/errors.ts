// What the storage core can refuse; exported to others by `core.ts`.

/** The limit given to `createCore` leaves no room for the request. */
export class CoreMemoryFull extends Error {
  /** Bytes asked for. */
  readonly wanted: number;
  constructor(wanted: number) {
    super(`storage core: no room for ${wanted} bytes within its memory limit`);
    this.name = "CoreMemoryFull";
    this.wanted = wanted;
  }
}

/** A batch whose lengths or counts do not add up. */
export class CorruptBatch extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "CorruptBatch";
  }
}
