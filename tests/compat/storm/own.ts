// Members that read with our own client, in either protocol.

import type { TestRuntime } from "../../support/runtimes.ts";
import { ProcessMember, type StormClient } from "./member.ts";
import { scriptCommand } from "./script-command.ts";

export function ownClient(node: TestRuntime, version: string): StormClient {
  return {
    name: "timberline",
    version,
    start: (seat) =>
      new ProcessMember(scriptCommand(node, "tests/compat/storm/own-member.ts", seat)),
  };
}
