// The ways out: kcat, our command line and the HTTP door, each reading a whole topic from the beginning to the ends
// it sees at the start, record by record into a sink.

import { currentNode } from "../support/runtimes.ts";
import { sourceEntry, type TestServer } from "../support/server.ts";
import type { RecordSink } from "./flight-digest.ts";
import { StreamingProcess } from "./streaming-process.ts";

export interface WayOut {
  readonly name: string;
  /** Resolves when all was read; the sink's errors come through. */
  consume(server: TestServer, topic: string, sink: RecordSink): Promise<void>;
}

export function kcatReader(kcat: string): WayOut {
  return {
    name: "kcat",
    async consume(server, topic, sink) {
      const flags = ["-o", "beginning", "-e", "-q", "-f", "%p\\t%T\\t%k\\t%s\\n"];
      // librdkafka pauses for a second whenever 100,000 messages wait for a slower reader.
      flags.push("-X", "queued.min.messages=10000000");
      await readLines([kcat, "-C", "-b", server.bootstrap, "-t", topic, ...flags], sink);
    },
  };
}

export const commandLineReader: WayOut = {
  name: "timberline",
  async consume(server, topic, sink) {
    const flags = ["-o", "begin", "-e", "-q", "-f", "%p\\t%T\\t%k\\t%s\\n"];
    const command = ["consume", topic, "-b", server.bootstrap, ...flags];
    await readLines(currentNode().command(sourceEntry, ...command), sink);
  },
};

export const httpReader: WayOut = {
  name: "http",
  async consume(server, topic, sink) {
    const query = "format=ndjson&offset=earliest";
    const answer = await fetch(`${server.http}/v1/topics/${topic}/records?${query}`);
    if (!answer.ok || answer.body === null) throw new Error(await answer.text());
    for await (const lines of wholeLines(answer.body)) {
      for (const line of lines) {
        const record = JSON.parse(line.toString("utf8"));
        if (record.error !== undefined) throw new Error(`the stream ended with ${line}`);
        const { partition, key, timestamp: timestampMs } = record;
        sink.add({ partition, key, timestampMs, value: Buffer.from(record.value) });
      }
    }
  },
};

async function readLines(command: readonly string[], sink: RecordSink): Promise<void> {
  const child = new StreamingProcess(command);
  for await (const lines of wholeLines(child.output())) {
    for (const line of lines) sink.add(parseLine(line));
  }
  await child.succeed();
}

/** `partition TAB time TAB key TAB value` */
function parseLine(line: Buffer): Parameters<RecordSink["add"]>[0] {
  const timeAt = line.indexOf(0x09) + 1;
  const keyAt = line.indexOf(0x09, timeAt) + 1;
  const valueAt = line.indexOf(0x09, keyAt) + 1;
  return {
    partition: Number(line.toString("latin1", 0, timeAt - 1)),
    timestampMs: Number(line.toString("latin1", timeAt, keyAt - 1)),
    key: line.toString("latin1", keyAt, valueAt - 1),
    value: line.subarray(valueAt),
  };
}

/** The lines that each chunk completes, without their ends. */
async function* wholeLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer[]> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    const lines: Buffer[] = [];
    let at = 0;
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, at)) {
      lines.push(bytes.subarray(at, end));
      at = end + 1;
    }
    rest = bytes.subarray(at);
    yield lines;
  }
  if (rest.length > 0) throw new Error(`the output ends within a line: ${rest}`);
}
