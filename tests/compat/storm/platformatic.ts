// Members that read with @platformatic/kafka, in either protocol.

import type { Platformatic } from "../platformatic.ts";
import { ProcessMember, type StormClient } from "./member.ts";
import { scriptCommand } from "./script-command.ts";

export function platformaticClient({ node, module, version }: Platformatic): StormClient {
  const script = "tests/compat/storm/platformatic-member.ts";
  return {
    name: "@platformatic/kafka",
    version,
    goesBack: true,
    start: (seat) => new ProcessMember(scriptCommand(node, script, { ...seat, module })),
  };
}
