// Runs the Durable Streams conformance suite against a server and tells what became of each case.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TestProcess } from "../support/processes.ts";
import { projectFolder } from "../support/project.ts";
import { tempFolder } from "../support/temp-folder.ts";

/** What the servers under test have as timberline.http.long.poll.ms. */
export const LONG_POLL_MS = 500;
const RUN_MS_MAX = 140_000;
/** Of version 0.3.6, subscriptions included; an empty run must not pass. */
export const CASES_MIN = 338;

export interface SuiteCase {
  readonly name: string;
  /** Why it failed; null if it passed. */
  readonly failure: string | null;
}

/** As vitest's JSON reporter writes it. */
interface SuiteReport {
  readonly testResults: readonly {
    readonly message?: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

const require = createRequire(import.meta.url);
const suite = fileURLToPath(new URL("durable-streams-suite.ts", import.meta.url));

export async function runStreamsSuite(url: string): Promise<SuiteCase[]> {
  const report = join(tempFolder("streams-suite"), "report.json");
  const command = [process.execPath, "--import", require.resolve("tsx"), suite, report];
  const run = new TestProcess(command, { cwd: projectFolder, env: { STREAMS_URL: url } });
  const end = await run.end(RUN_MS_MAX);
  let found: SuiteReport;
  try {
    found = JSON.parse(readFileSync(report, "utf8")) as SuiteReport;
  } catch {
    throw new Error(`the suite wrote no report:\n${end.stdout}\n${end.stderr}`);
  }
  return found.testResults.flatMap(({ assertionResults }) =>
    assertionResults.map(({ fullName, status, failureMessages }) => ({
      name: fullName,
      failure: status === "passed" ? null : `${status}: ${failureMessages.join("\n")}`,
    })),
  );
}
