// Cases of the client library, as a program on the runtime under test.

import { join } from "node:path";
import * as assert from "uvu/assert";
import { runProcess } from "../support/processes.ts";
import { projectFolder } from "../support/project.ts";
import type { Case } from "./case.ts";
import { createTopic, produce } from "./steps.ts";

const programMsMax = 30_000;

export const clientCases: readonly Case[] = [
  {
    name: "runs a program that reads in a group and writes in transactions",
    async run({ http, kafka, runtime }) {
      await createTopic(http, "client-in");
      await createTopic(http, "client-out");
      await produce(http, "client-in", ["a", "b", "c"]);
      const script = join(projectFolder, "tests/runtimes/client-program.ts");
      const address = `${kafka.host}:${kafka.port}`;
      const command = runtime.command(script, address, "client-in", "client-out", "3");
      const end = await runProcess(command, { cwd: projectFolder, limitMs: programMsMax });
      assert.is(end.code, 0, end.stderr);
      assert.equal(JSON.parse(end.stdout), { seen: ["a!", "b!", "c!"], committed: [3] });
    },
  },
];
