// `timberline gateway` as a child process, as a user starts it.

import { TestProcess } from "../support/processes.ts";
import { currentNode } from "../support/runtimes.ts";
import { sourceEntry } from "../support/server.ts";

const readyMsMax = 30_000;

export class TestGateway {
  /** Without a slash at the end. */
  readonly http: string;
  readonly process: TestProcess;

  private constructor(http: string, process: TestProcess) {
    this.http = http;
    this.process = process;
  }

  /** Resolves when it has printed its ready line; `port` 0: any free one. */
  static async start(bootstrap: string, args: readonly string[] = [], port = 0) {
    const own = ["--bootstrap", bootstrap, "--http-port", String(port)];
    const command = currentNode().command(sourceEntry, "gateway", ...own, ...args);
    const process = new TestProcess(command);
    const [, door = ""] = await process.waitFor(/^ready http=(\S+)$/m, readyMsMax);
    return new TestGateway(`http://${door}`, process);
  }
}
