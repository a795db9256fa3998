// The gateway in a Worker, as the package's configuration runs it, on a port of its own.

import { cpSync } from "node:fs";
import { join } from "node:path";
import { gatewayEntry, listModules } from "../../runtime/edge/build.ts";
import { TestProcess } from "../support/processes.ts";
import { projectFolder } from "../support/project.ts";
import { bundleEdge, freePorts, workerdBinary } from "../support/workerd.ts";

const startMsMax = 20_000;
const lookMs = 50;

export class WorkerGateway {
  /** Without a slash at the end. */
  readonly http: string;
  readonly #command: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  #process: TestProcess | undefined;

  private constructor(
    http: string,
    command: readonly string[],
    env: Readonly<Record<string, string>>,
  ) {
    this.http = http;
    this.#command = command;
    this.#env = env;
  }

  /** `variables` of the Worker: BOOTSTRAP and others. Resolves when it answers. */
  static async start(variables: Readonly<Record<string, string>>): Promise<WorkerGateway> {
    const { folder, modules } = await bundleEdge(gatewayEntry);
    const config = join(folder, "config.capnp");
    cpSync(join(projectFolder, "runtime/deploy/gateway/config.capnp"), config);
    listModules(folder, modules);
    const [port = 0] = await freePorts(1);
    const at = `--socket-addr=http=127.0.0.1:${port}`;
    const command = [workerdBinary(), "serve", config, at];
    const gateway = new WorkerGateway(`http://127.0.0.1:${port}`, command, variables);
    await gateway.restart();
    return gateway;
  }

  async kill(): Promise<void> {
    await this.#process?.stop("SIGKILL");
  }

  /** At the same address. */
  async restart(): Promise<void> {
    const process = new TestProcess([...this.#command], { env: this.#env });
    this.#process = process;
    const endMs = performance.now() + startMsMax;
    for (;;) {
      try {
        await fetch(`${this.http}/healthz`);
        return;
      } catch (error) {
        if (performance.now() > endMs) throw new Error(process.stderr, { cause: error });
        await new Promise((resolve) => setTimeout(resolve, lookMs));
      }
    }
  }
}
