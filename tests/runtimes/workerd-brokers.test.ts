// The black-box list with the partitions spread over brokers that are objects of their own: three of them and one that
// keeps their metadata, in one process of workerd. And what only that has: partitions on different objects, each found
// through every door.
// Time limit: 120 s

import { join } from "node:path";
import { test } from "uvu";
import { projectFolder } from "../support/project.ts";
import { WorkerdServer, workerdRuntime } from "../support/workerd.ts";
import { brokerObjectCases } from "./broker-object-cases.ts";
import { queueCases } from "./suite.ts";

const BROKERS = 3;

const runtime = await workerdRuntime(join(projectFolder, "tests/runtimes/client-program.ts"));

queueCases("workerd", runtime, () => WorkerdServer.start({ brokers: BROKERS }), brokerObjectCases);

test.run();
