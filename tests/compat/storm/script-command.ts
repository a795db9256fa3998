// How a member that is a script is started: what it is told goes along as JSON.

import { join } from "node:path";
import { projectFolder } from "../../support/project.ts";
import type { TestRuntime } from "../../support/runtimes.ts";
import type { Seat } from "./member.ts";

/** Since this version Node takes the types away itself, in half of tsx's time. */
const stripsTypesSince = 24;

/** What is told is the seat, and what else that client needs. */
export function scriptCommand<Told extends Seat>(
  node: TestRuntime,
  script: string,
  seat: Told,
): string[] {
  const path = join(projectFolder, script);
  const told = JSON.stringify(seat);
  const [binary = ""] = node.command(path);
  const strips = Number(node.version.split(".")[0]) >= stripsTypesSince;
  return strips ? [binary, path, told] : node.command(path, told);
}
