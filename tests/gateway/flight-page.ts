// A web page that writes flights: it reads them as text from where it came from, and produces them with the client
// library over HTTP, idempotently, so that what is sent again stands in the log once.

import { createReadStream } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { build } from "esbuild";
import type { FlightsFile } from "../compat/flights.ts";
import { projectFolder } from "../support/project.ts";

const SOURCE = `
import { createClient } from "timberline/client";
globalThis.seen = 0;
globalThis.produce = async (bootstrap, topic, partition, count) => {
  const client = createClient({ bootstrap, requestTimeoutMs: 20_000 });
  const producer = client.producer({ deliveryTimeoutMs: 300_000 });
  const { body } = await fetch("/flights");
  const lines = body.pipeThrough(new TextDecoderStream()).getReader();
  const waiting = [];
  let rest = "";
  let sent = 0;
  while (sent < count) {
    const { value, done } = await lines.read();
    if (done) break;
    const all = (rest + value).split("\\n");
    rest = all.pop();
    const records = all.slice(0, count - sent).map((line) => {
      const [time, key, value] = line.split("\\t");
      const to = partition === null ? {} : { partition };
      return { topic, key, value, timestampMs: Number(time), ...to };
    });
    sent += records.length;
    await producer.ready();
    waiting.push(producer.sendBatch(records).then(() => { globalThis.seen += records.length; }));
    if (waiting.length > 50) await waiting.shift();
  }
  await Promise.all(waiting);
  await client.close();
  return sent;
};
`;

/** Serves the page, its script and the flights; resolves with its origin. */
export async function servePage(flights: FlightsFile): Promise<{ origin: string; server: Server }> {
  const { outputFiles } = await build({
    stdin: { contents: SOURCE, resolveDir: projectFolder },
    bundle: true,
    format: "esm",
    write: false,
    alias: { "timberline/client": join(projectFolder, "runtime/client/mod.ts") },
    conditions: ["browser"],
    logLevel: "warning",
  });
  const script = outputFiles[0]!.text;
  const server = createServer(({ url }, response) => {
    if (url === "/flights") createReadStream(flights.path).pipe(response);
    else if (url === "/page.js") {
      response.setHeader("content-type", "text/javascript").end(script);
    } else {
      const html = '<!doctype html><script type="module" src="/page.js"></script>';
      response.setHeader("content-type", "text/html").end(html);
    }
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}
