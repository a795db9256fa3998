// The manual's page on browsers: its pages are opened in a real Chromium, followed while the broker is killed and comes
// back, and written with; and the client library does in a page what it does elsewhere.
// Time limit: 120 s

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { build } from "esbuild";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Chromium, chromiumProgram } from "../support/chromium.ts";
import { request, requestJson } from "../support/http-client.ts";
import { projectFolder } from "../support/project.ts";
import { TestServer } from "../support/server.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { blocksOf } from "./blocks.ts";

const program = chromiumProgram();
const pageLinesMax = 30;
const blocks = blocksOf(readFileSync(join(projectFolder, "runtime/docs/browser.md"), "utf8"));
const folder = tempFolder("pages");
let pages: Server;
let origin = "";
let server: TestServer;
let chromium: Chromium;

/** What the client does in a page, by the same names as in a program. */
const CASES = `
import { createClient } from "timberline/client";
const text = (bytes) => new TextDecoder().decode(bytes);
globalThis.roundtrip = async (url) => {
  const client = createClient({ bootstrap: url });
  await client.admin().createTopic({ name: "packed", partitions: 2 });
  const codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
  for (const compression of codecs) {
    const producer = client.producer({ compression });
    const value = compression + " packs well".repeat(100);
    await producer.sendBatch([0, 1].map((partition) => ({ topic: "packed", partition, value })));
    await producer.close();
  }
  const consumer = client.groupConsumer({
    groupId: "pages", topics: ["packed"], protocol: "consumer", offsetReset: "earliest",
  });
  const seen = [];
  for await (const { value } of consumer) {
    seen.push(text(value).split(" ")[0]);
    if (seen.length === 2 * codecs.length) break;
  }
  await consumer.stop();
  const committed = await client.groups().offsets("pages");
  await client.close();
  return { seen: seen.sort(), committed: committed.reduce((sum, { offset }) => sum + offset, 0) };
};
globalThis.transfer = async (url) => {
  const client = createClient({ bootstrap: url });
  const bank = client.transactionalProducer({ transactionalId: "page" });
  const write = (value) => async (transaction) => {
    await transaction.send({ topic: "accounts", value });
    if (value === "lost") throw new Error("aborted");
  };
  await bank.transaction(write("lost")).catch(() => {});
  await bank.transaction(write("kept"));
  const consumer = client.consumer({ isolation: "read_committed" });
  await consumer.assign([{ topic: "accounts", partition: 0, offset: 0 }]);
  const batch = await consumer.poll(10_000);
  await client.close();
  return batch.records.map(({ value }) => text(value));
};
`;

/** A block of the page, with the addresses that are here. */
function blockOf(language: string, word: string): string {
  const found = blocks.find((block) => block.language === language && block.words[0] === word);
  assert.ok(found, `browser.md has no block ${language} ${word}`);
  return found.text.replaceAll("http://127.0.0.1:8080", server.http);
}

async function bundled(source: string, name: string): Promise<void> {
  const entry = join(folder, `${name}.js`);
  writeFileSync(entry, source);
  await build({
    entryPoints: [entry],
    outfile: join(folder, `${name}.bundle.js`),
    bundle: true,
    format: "esm",
    alias: { "timberline/client": join(projectFolder, "runtime/client/mod.ts") },
    logLevel: "warning",
  });
}

async function write(...values: readonly string[]): Promise<void> {
  for (const value of values) {
    await request(`${server.http}/v1/topics/orders/records?key=k`, { body: value });
  }
}

async function startAll(browser: string): Promise<void> {
  pages = createServer(({ url = "/" }, response) => {
    const path = join(folder, url.slice(1));
    const type = url.endsWith(".js") ? "text/javascript" : "text/html";
    if (existsSync(path)) response.setHeader("content-type", type).end(readFileSync(path));
    else response.writeHead(404).end();
  });
  await new Promise<void>((listening) => pages.listen(0, "127.0.0.1", listening));
  origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
  server = await TestServer.start({ args: ["--set", `timberline.http.cors.origins=${origin}`] });
  chromium = Chromium.start(browser);
}

if (program !== undefined) {
  test.before(() => startAll(program));
  test.after(async () => {
    await chromium.stop();
    await server.stop();
    pages.closeAllConnections();
    pages.close();
  });

  test("the page that follows a topic loses and repeats nothing when the broker is killed", async () => {
    const html = blockOf("html", "tail");
    assert.ok(html.split("\n").length <= pageLinesMax);
    writeFileSync(join(folder, "tail.html"), html);
    await write("1", "2");
    const page = await chromium.open(`${origin}/tail.html`);
    const list = "[...document.querySelectorAll('#records li')].map((item) => item.textContent)";
    await page.until(`${list}.length === 2`);
    assert.is(await page.evaluate("document.querySelector('#state').textContent"), "live");
    await write("3");
    await page.until(`${list}.length === 3`);
    await server.kill();
    await page.until("document.querySelector('#state').textContent === 'reconnecting'");
    await server.restart();
    await write("4", "5");
    await page.until(`${list}.length >= 5`);
    assert.equal(
      await page.evaluate(list),
      ["1", "2", "3", "4", "5"].map((value) => `k: ${value}`),
    );
  });

  test("the page that writes shows where its record is", async () => {
    writeFileSync(join(folder, "write.html"), blockOf("html", "write"));
    await bundled(blockOf("javascript", "write"), "write");
    const page = await chromium.open(`${origin}/write.html`);
    await page.evaluate(`{
      const form = document.querySelector("form");
      form.customer.value = "ben";
      form.order.value = "tea";
      form.requestSubmit();
    }`);
    await page.until("document.querySelector('output').textContent !== ''");
    const shown = await page.evaluate<string>("document.querySelector('output').textContent");
    const offset = Number(/in partition 0 at offset (\d+)/.exec(shown)?.[1]);
    const found = await requestJson<{ records: { key: string; value: string }[] }>(
      `${server.http}/v1/topics/orders/partitions/0/records?offset=${offset}`,
    );
    assert.equal([found.records[0]?.key, found.records[0]?.value], ["ben", "tea"]);
  });

  test("the client packs with every codec, shares work and runs transactions in a page", async () => {
    await bundled(CASES, "cases");
    writeFileSync(
      join(folder, "cases.html"),
      '<!doctype html><script type="module" src="cases.bundle.js"></script>',
    );
    const page = await chromium.open(`${origin}/cases.html`);
    const at = JSON.stringify(server.http);
    assert.equal(await page.evaluate(`roundtrip(${at})`), {
      seen: ["gzip", "lz4", "none", "snappy", "zstd"].flatMap((codec) => [codec, codec]),
      // Not the last one: its turn of the loop was left early.
      committed: 9,
    });
    assert.equal(await page.evaluate(`transfer(${at})`), ["kept"]);
  });
}

test.run();
