// Members that read with the newest librdkafka, through its Python wheel, in either protocol.

import { join } from "node:path";
import { projectFolder } from "../../support/project.ts";
import type { Confluent } from "../confluent.ts";
import { ProcessMember, type StormClient } from "./member.ts";

export function confluentClient({ python, version }: Confluent): StormClient {
  const script = join(projectFolder, "tests/compat/storm/confluent_member.py");
  return {
    name: "confluent-kafka",
    version,
    start: (seat) => new ProcessMember([python, script, JSON.stringify(seat)]),
  };
}
