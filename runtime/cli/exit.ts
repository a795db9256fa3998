// Exit codes and the one error class of the command line. Codes are a contract with scripts (README.md).
// A message says what and where; `hint` says what to do next. Printed by `report.ts`, on stderr only.

/** Frozen: scripts test for them. */
export const ExitCode = {
  done: 0,
  /** One of the items failed. */
  failed: 1,
  /** Wrong usage or configuration. */
  usage: 2,
  /** Not reachable, or timed out. */
  unreachable: 3,
  /** Not authenticated, or not allowed. */
  denied: 4,
  /** A check that was asked for is false. */
  checkFalse: 10,
  /** Ctrl-C. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

export interface CliErrorOptions {
  readonly exitCode?: ExitCode;
  /** What to do next, one line each. */
  readonly hints?: readonly string[];
  readonly cause?: unknown;
}

/** Something a person has to know: no stack is printed for it. */
export class CliError extends Error {
  readonly exitCode: ExitCode;
  readonly hints: readonly string[];

  constructor(message: string, options: CliErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "CliError";
    this.exitCode = options.exitCode ?? ExitCode.failed;
    this.hints = options.hints ?? [];
  }
}

/** Wrong flags or values: exit code 2. */
export function usageError(message: string, ...hints: string[]): CliError {
  return new CliError(message, { exitCode: ExitCode.usage, hints });
}
