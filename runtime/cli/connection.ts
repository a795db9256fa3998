// The client a command talks through: addresses and time limits from the global options, closed when it is done.

import type { Admin, Client } from "../client/mod.ts";
import { createClient } from "../client/mod.ts";
import type { Platform } from "../platform.ts";
import { thePlatform } from "./platform.ts";
import { parseBootstrap, type Shell } from "./shell.ts";

const BOOTSTRAP_DEFAULT = "127.0.0.1:9092";

export interface Connection {
  readonly client: Client;
  readonly platform: Platform;
}

/** Runs `use` with a client, and closes it whatever happens. */
export async function withClient<T>(
  shell: Shell,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  const platform = thePlatform();
  const client = createClient({
    platform,
    bootstrap: parseBootstrap(shell.bootstrap ?? BOOTSTRAP_DEFAULT),
    clientId: "timberline-cli",
    connectTimeoutMs: shell.timeoutMs,
    requestTimeoutMs: shell.timeoutMs,
    operationTimeoutMs: shell.timeoutMs,
  });
  try {
    return await use({ client, platform });
  } finally {
    await client.close();
  }
}

export function withAdmin<T>(shell: Shell, use: (admin: Admin) => Promise<T>): Promise<T> {
  return withClient(shell, ({ client }) => use(client.admin()));
}
