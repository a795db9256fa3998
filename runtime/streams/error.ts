// StreamsError: the one error of stream processing. Its code says where it happened, its sentence what to do.

export type StreamsErrorCode =
  /** The topology cannot run: names, key types, codecs, partition counts. Found before anything is read. */
  | "INVALID_TOPOLOGY"
  /** An option of `run`, of a window or of the test driver makes no sense. */
  | "INVALID_OPTION"
  /** A topic that must exist does not. */
  | "MISSING_TOPIC"
  /** A record could not be processed, and the policy is to fail. */
  | "RECORD_FAILED"
  /** Transactions kept failing for longer than the time allowed. */
  | "GAVE_UP";

export class StreamsError extends Error {
  readonly code: StreamsErrorCode;

  constructor(code: StreamsErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "StreamsError";
    this.code = code;
  }
}

/** What an error says, whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
