// A member of the storm: a process of its own that reads with some client, leaves when it is told to, and can be
// killed. One file per client says how its members are started.

import { StreamingProcess } from "../streaming-process.ts";
import type { Reporter } from "./reporter.ts";

export type Protocol = "classic" | "consumer";

/** What a member is told, as JSON in its first argument. */
export interface Seat {
  readonly bootstrap: string;
  readonly topic: string;
  readonly group: string;
  readonly protocol: Protocol;
  /** Null: a dynamic member. */
  readonly instanceId: string | null;
  readonly sessionMs: number;
  readonly heartbeatMs: number;
  readonly rebalanceMs: number;
  readonly commitMs: number;
  /** The file of its history. */
  readonly path: string;
}

export interface StormClient {
  readonly name: string;
  readonly version: string;
  /** Habits of the client that are no fault of the broker: see `GroupHistory`. */
  readonly leavesOneUnread?: boolean;
  readonly goesBack?: boolean;
  start(seat: Seat): StormMember;
}

export interface StormMember {
  /** An orderly end: what was read is committed. Static members are expected back. */
  leave(): void;
  /** kill -9. */
  crash(): void;
  /** Resolves with the exit code once its history is complete. */
  readonly ended: Promise<number | null>;
  /** What it complained about last. */
  readonly complaints: string;
}

/** Hears what a member prints; those that write their history themselves have nothing to say. */
export interface Listener {
  hear(text: string): void;
  close(): void;
}

export class ProcessMember implements StormMember {
  readonly #process: StreamingProcess;
  readonly ended: Promise<number | null>;

  constructor(command: readonly string[], listener?: Listener) {
    this.#process = new StreamingProcess(command);
    this.ended = this.#listen(listener);
    this.ended.catch(() => {});
  }

  get complaints(): string {
    return this.#process.stderr;
  }

  leave(): void {
    this.#process.kill("SIGTERM");
  }

  crash(): void {
    this.#process.kill("SIGKILL");
  }

  async #listen(listener: Listener | undefined): Promise<number | null> {
    for await (const chunk of this.#process.output()) listener?.hear(chunk.toString("latin1"));
    const code = await this.#process.ended;
    listener?.close();
    return code;
  }
}

/** Tells the reporter of text that comes in pieces, line by line. */
export class LineListener implements Listener {
  readonly #reporter: Reporter;
  readonly #tell: (line: string) => void;
  #rest = "";

  constructor(reporter: Reporter, tell: (line: string) => void) {
    this.#reporter = reporter;
    this.#tell = tell;
  }

  hear(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#tell(line);
    this.#reporter.flush();
  }

  close(): void {
    this.#reporter.close();
  }
}
