// Members that read with kafkajs. It knows the classic protocol and no static members.

import type { TestRuntime } from "../../support/runtimes.ts";
import { ProcessMember, type StormClient } from "./member.ts";
import { scriptCommand } from "./script-command.ts";

export function kafkajsClient(node: TestRuntime, version: string): StormClient {
  return {
    name: "kafkajs",
    version,
    start: (seat) =>
      new ProcessMember(scriptCommand(node, "tests/compat/storm/kafkajs-member.ts", seat)),
  };
}
