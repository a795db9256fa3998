// Bodies that are pushed: whoever makes the bytes writes them when they come, and is told when there is room again and
// when the client is gone. A platform may write such a body straight to its socket (`HttpContext.push`); everywhere
// else it is a ReadableStream.

/** Where a pushed body's bytes go. */
export interface BodySink {
  /** False: taken, but nothing more until `ready`. The bytes are not changed by either side afterwards. */
  write(bytes: Uint8Array): boolean;
  /** Nothing comes after it. */
  end(): void;
}

/** Who makes the bytes. `gone` may come at any time after `start`, and more than once; also instead of it. */
export interface BodySource {
  start(sink: BodySink): void;
  ready(): void;
  gone(): void;
}

/** A source as a body that is read. It starts with the first read, so that nothing is made for nobody. */
export function pushedBody(source: BodySource, signal: AbortSignal): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(new SourceReader(source, signal), { highWaterMark: 0 });
}

class SourceReader implements UnderlyingDefaultSource<Uint8Array>, BodySink {
  readonly #source: BodySource;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #isStarted = false;
  #isOver = false;

  constructor(source: BodySource, signal: AbortSignal) {
    this.#source = source;
    // Some runtimes abort the request, some cancel the body, some do both.
    if (signal.aborted) this.#leave();
    else signal.addEventListener("abort", () => this.#leave(), { once: true });
  }

  pull(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
    if (this.#isOver) {
      controller.close();
    } else if (this.#isStarted) {
      this.#source.ready();
    } else {
      this.#isStarted = true;
      this.#source.start(this);
    }
  }

  cancel(): void {
    this.#isOver = true;
    this.#controller = null;
    this.#source.gone();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isOver || this.#controller === null) return false;
    this.#controller.enqueue(bytes);
    // Another read waits already, or the next one will ask.
    return (this.#controller.desiredSize ?? 0) > 0;
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#controller?.close();
  }

  #leave(): void {
    this.end();
    this.#source.gone();
  }
}
