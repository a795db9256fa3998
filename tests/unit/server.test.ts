// createServer(): starts that must not happen, and stops that leave nothing behind.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerConfig } from "../../runtime/config.ts";
import { BrokerError } from "../../runtime/errors.ts";
import { createPlatform } from "../../runtime/platforms/node.ts";
import { createServer, type Server } from "../../runtime/server.ts";
import { MemoryStorage } from "../../runtime/storage/memory.ts";
import { StorageError } from "../../runtime/storage/storage.ts";
import { Log } from "../../runtime/telemetry/logger.ts";

const platform = createPlatform();

function start(storage: MemoryStorage, configs: Record<string, string> = {}): Promise<Server> {
  const values = { listeners: "PLAINTEXT://127.0.0.1:0", "timberline.http.port": "0", ...configs };
  const set = new Map(
    Object.entries(values).map(([name, text]) => [name, { text, place: "test" }] as const),
  );
  const log = new Log({ clock: platform.clock, level: "error", format: "text", write: () => {} });
  return createServer({
    platform,
    config: new BrokerConfig({ set }),
    logger: log.logger(),
    storage,
  });
}

const messageOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (error) {
    return (error as Error).message;
  }
  return "no error";
};

test("a port in use refuses the start and leaves the folder free for the next", async () => {
  const first = await start(new MemoryStorage(Infinity));
  const storage = new MemoryStorage(Infinity);
  const taken = { listeners: `PLAINTEXT://127.0.0.1:${first.kafka.port}` };
  assert.match(await messageOf(start(storage, taken)), /EADDRINUSE/);
  const httpTaken = { "timberline.http.port": String(first.http!.port) };
  assert.match(await messageOf(start(storage, httpTaken)), /EADDRINUSE/);
  const second = await start(storage);
  await second.close();
  await first.close();
});

test("a folder belongs to one broker number for good", async () => {
  const storage = new MemoryStorage(Infinity);
  await (await start(storage, { "node.id": "7" })).close();
  const other = await messageOf(start(storage, { "node.id": "8" }));
  assert.match(other, /belongs to broker 7, not to 8: set node\.id=7/);
  const unnamed = await start(storage);
  assert.is(unnamed.brokerId, 7);
  await unnamed.close();
});

test("every address needs an advertised one", async () => {
  const everywhere = { listeners: "PLAINTEXT://0.0.0.0:0" };
  const storage = new MemoryStorage(Infinity);
  assert.match(await messageOf(start(storage, everywhere)), /--advertise HOST:PORT/);
  const advertised = { ...everywhere, "advertised.listeners": "PLAINTEXT://example.org:9" };
  const server = await start(storage, advertised);
  assert.equal([server.broker.self().host, server.broker.self().port], ["example.org", 9]);
  await server.close();
});

test("close() is clean, idempotent, and readiness says that it began", async () => {
  const storage = new MemoryStorage(Infinity);
  const server = await start(storage);
  assert.equal(server.readiness(), []);
  const closing = server.close();
  assert.match(server.readiness().join(), /draining/);
  await Promise.all([closing, server.close()]);
  assert.ok(storage.readFile(".kafka_cleanshutdown"));
});

test("close() is not clean when the disk is full: then there is no marker", async () => {
  const storage = new MemoryStorage(Infinity);
  const server = await start(storage);
  storage.bytesMax = 0;
  assert.is(await server.close(), false);
  assert.not.ok(storage.readFile(".kafka_cleanshutdown"));
});

test("failed says which disk went bad, and why; close() still ends the server", async () => {
  const storage = new MemoryStorage(Infinity);
  const server = await start(storage);
  const topic = { name: "t", partitions: 1, replicationFactor: 1, configs: new Map() };
  await server.broker.createTopic(topic);
  storage.fault = new StorageError("failed", "input/output error");
  const batch = platform.core.encode([{ key: null, value: new Uint8Array(1), timestampMs: 1 }], {
    compression: null,
  });
  const place = { topic: "t", partition: 0 };
  const append = async () => server.broker.append({ ...place, batch, acks: -1, timeoutMs: 1000 });
  assert.match(await messageOf(append()), /the log directory memory failed: input\/output error/);
  assert.match((await server.failed).message, /memory failed: input\/output error/);
  assert.match(server.readiness().join(), /input\/output error/);
  assert.is(await server.close(), false);
  assert.not.ok(storage.readFile(".kafka_cleanshutdown"));
});

test("a dynamic limit holds for the connections that come after it", async () => {
  const server = await start(new MemoryStorage(Infinity));
  const all = { kind: "broker", broker: null } as const;
  const limit = [{ name: "max.connections", op: "set", value: "1" }] as const;
  await server.broker.alterConfigs(all, limit, { validateOnly: false });
  const { host, port } = server.kafka;
  const closed = async () => {
    const connection = await platform.network.dial({ host, port, timeoutMs: 1000 });
    const outcome = new Promise<boolean>((resolve) => {
      connection.onClose(() => resolve(true));
      setTimeout(() => resolve(false), 150);
    });
    connection.onData(() => {});
    return { connection, isClosed: await outcome };
  };
  const first = await closed();
  const second = await closed();
  assert.equal([first.isClosed, second.isClosed], [false, true]);
  first.connection.destroy();
  await server.close();
});

test("an error of the folder keeps its kind", async () => {
  const storage = new MemoryStorage(Infinity);
  const newer = new TextEncoder().encode("timberline.format=99\n");
  storage.writeFile("meta.properties", newer);
  let caught: unknown;
  await start(storage).catch((error) => {
    caught = error;
  });
  assert.instance(caught, BrokerError);
});

test.run();
