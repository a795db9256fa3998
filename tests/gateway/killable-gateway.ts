// A gateway that is killed and comes back at its address, as a process of Node or in workerd.

import { TestGateway } from "./gateway-process.ts";
import { WorkerGateway } from "./worker-gateway.ts";

export interface KillableGateway {
  /** Without a slash at the end. */
  readonly http: string;
  kill(): Promise<void>;
  restart(): Promise<void>;
}

export async function startKillable(
  runtime: string,
  { bootstrap, origin }: { readonly bootstrap: string; readonly origin: string },
): Promise<KillableGateway> {
  if (runtime === "workerd") {
    return WorkerGateway.start({ BOOTSTRAP: bootstrap, CORS_ORIGINS: origin });
  }
  const args = ["--cors-origin", origin];
  let gateway = await TestGateway.start(bootstrap, args);
  const { http } = gateway;
  return {
    http,
    async kill() {
      await gateway.process.stop("SIGKILL");
    },
    async restart() {
      gateway = await TestGateway.start(bootstrap, args, Number(new URL(http).port));
    },
  };
}
