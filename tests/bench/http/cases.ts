// What is measured at the HTTP door: the same protocol, the same load, on both sides. Each case answers figures by name.

import { setTimeout as pause } from "node:timers/promises";
import { cpuSeconds, residentBytes } from "../process-figures.ts";
import type { HttpServer } from "./servers.ts";
import { openTails } from "./tails.ts";
import { headerOf, request, Wire } from "./wire.ts";

export type Figures = Readonly<Record<string, number>>;

export interface Load {
  readonly seconds: number;
  /** Of the sizes that are read back. */
  readonly scale: number;
}

const MB = 1e6;
const bytesType = { "content-type": "application/octet-stream" };
const jsonType = { "content-type": "application/json" };
const textType = { "content-type": "text/plain" };
const smallBody = Buffer.alloc(100, "a");
const connections = 64;
const sequentialMax = 20_000;
const warmUpMs = 1000;

let names = 0;

async function create(wire: Wire, type: Readonly<Record<string, string>>): Promise<string> {
  const path = `/v1/stream/bench-${names++}`;
  await wire.must(request("PUT", path, type));
  return path;
}

/** 100 bytes, over 64 connections to one stream. */
export async function smallAppends(server: HttpServer, { seconds }: Load): Promise<Figures> {
  const wires = await openWires(server, connections);
  const path = await create(wires[0]!, bytesType);
  const append = request("POST", path, bytesType, smallBody);
  let count = 0;
  let isOver = false;
  const loops = wires.map(async (wire) => {
    for (; !isOver; count++) await wire.must(append);
  });
  await pause(warmUpMs);
  const before = { count, cpu: cpuSeconds(server.pid) ?? 0, ms: performance.now() };
  await pause(seconds * 1000);
  const appends = count - before.count;
  const perSecond = appends / ((performance.now() - before.ms) / 1000);
  const cpuMicros = (((cpuSeconds(server.pid) ?? 0) - before.cpu) / appends) * 1e6;
  isOver = true;
  await Promise.all(loops);
  for (const wire of wires) wire.close();
  return { perSecond, cpuMicros };
}

/** One at a time. */
export async function sequentialAppends(server: HttpServer, { seconds }: Load): Promise<Figures> {
  const wire = await Wire.open(server.address);
  const append = request("POST", await create(wire, bytesType), bytesType, smallBody);
  for (let i = 0; i < 500; i++) await wire.must(append);
  const times: number[] = [];
  const endMs = performance.now() + seconds * 1000;
  while (performance.now() < endMs && times.length < sequentialMax) {
    const startMs = performance.now();
    await wire.must(append);
    times.push(performance.now() - startMs);
  }
  wire.close();
  return { p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99) };
}

/** From an append to its arrival at each of `readers` SSE tails. */
export async function tailReaders(
  server: HttpServer,
  { readers, perSecond, seconds }: { readers: number; perSecond: number; seconds: number },
): Promise<Figures> {
  const wire = await Wire.open(server.address);
  const path = await create(wire, textType);
  await wire.must(request("POST", path, textType, smallBody));
  await pause(500);
  const before = residentBytes(server.pid) ?? 0;
  const tails = await openTails(server.address, path, readers);
  await pause(2000);
  const kbPerTail = ((residentBytes(server.pid) ?? 0) - before) / readers / 1000;
  const cpuBefore = cpuSeconds(server.pid) ?? 0;
  const startMs = performance.now();
  const count = Math.ceil(perSecond * seconds);
  for (let i = 0; i < count; i++) {
    const waitMs = startMs + (i * 1000) / perSecond - performance.now();
    if (waitMs > 0) await pause(waitMs);
    const mark = Buffer.from(`@@${performance.now()}@@`.padEnd(smallBody.length, "x"));
    await wire.must(request("POST", path, textType, mark));
  }
  await tails.delivered(count * readers, 10_000);
  const cpuMicros = (((cpuSeconds(server.pid) ?? 0) - cpuBefore) / (count * readers)) * 1e6;
  const times = tails.close();
  wire.close();
  const missing = count * readers - times.length;
  if (missing > 0) throw new Error(`${missing} of ${count * readers} deliveries never came`);
  return { p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99), cpuMicros, kbPerTail };
}

/** Records of 95 bytes, stored by the thousand, read from the beginning. */
export async function jsonCatchUp(server: HttpServer, { scale }: Load): Promise<Figures> {
  const record = JSON.stringify({ id: 123456, t: "2025-01-01T00:00:00Z", v: "x".repeat(46) });
  const body = Buffer.from(`[${Array(1000).fill(record).join(",")}]`);
  return catchUp(server, { type: jsonType, body, count: Math.ceil(640 * scale) });
}

/** Messages of 1 MB. */
export async function largeCatchUp(server: HttpServer, { scale }: Load): Promise<Figures> {
  const body = Buffer.alloc(1 << 20, "a");
  return catchUp(server, { type: bytesType, body, count: Math.ceil(256 * scale) });
}

/** Whole record batches as they lie in the log; Timberline alone has that. */
export async function rawBatches(server: HttpServer, { scale }: Load): Promise<Figures> {
  const wire = await Wire.open(server.address);
  const path = await create(wire, bytesType);
  const append = request("POST", path, bytesType, Buffer.alloc(1 << 20, "a"));
  for (let i = 0; i < 256 * scale; i++) await wire.must(append);
  const topic = path.slice("/v1/stream/".length);
  const from = (offset: string) =>
    `/v1/topics/${topic}/partitions/0/records?format=batches&max_bytes=16777216&offset=${offset}`;
  const next = (answer: Parameters<typeof headerOf>[0]) =>
    answer.bodyBytes === 0 ? undefined : headerOf(answer, "timberline-next-offset");
  const figures = await readThrough(server, wire, { first: "0", from, next });
  wire.close();
  return figures;
}

async function catchUp(
  server: HttpServer,
  { type, body, count }: { type: Readonly<Record<string, string>>; body: Buffer; count: number },
): Promise<Figures> {
  const wire = await Wire.open(server.address);
  const path = await create(wire, type);
  const append = request("POST", path, type, body);
  for (let i = 0; i < count; i++) await wire.must(append);
  const from = (offset: string) => `${path}?offset=${offset}`;
  const next = (answer: Parameters<typeof headerOf>[0]) =>
    headerOf(answer, "stream-up-to-date") === undefined
      ? headerOf(answer, "stream-next-offset")
      : undefined;
  const figures = await readThrough(server, wire, { first: "-1", from, next });
  await wire.must(request("DELETE", path));
  wire.close();
  return figures;
}

const readRounds = 3;

/** Page after page to the end, several times; the best round counts. */
async function readThrough(
  server: HttpServer,
  wire: Wire,
  pages: {
    readonly first: string;
    readonly from: (offset: string) => string;
    readonly next: (answer: Parameters<typeof headerOf>[0]) => string | undefined;
  },
): Promise<Figures> {
  let mbPerSecond = 0;
  let mbPerCpuSecond = 0;
  let rssMax = 0;
  for (let round = 0; round < readRounds; round++) {
    const startMs = performance.now();
    const cpuBefore = cpuSeconds(server.pid) ?? 0;
    let bytes = 0;
    let offset: string | undefined = pages.first;
    while (offset !== undefined) {
      const answer = await wire.must(request("GET", pages.from(offset)));
      bytes += answer.bodyBytes;
      offset = pages.next(answer);
      rssMax = Math.max(rssMax, residentBytes(server.pid) ?? 0);
    }
    const seconds = (performance.now() - startMs) / 1000;
    const cpu = (cpuSeconds(server.pid) ?? 0) - cpuBefore;
    mbPerSecond = Math.max(mbPerSecond, bytes / MB / seconds);
    mbPerCpuSecond = Math.max(mbPerCpuSecond, bytes / MB / Math.max(cpu, 0.01));
  }
  return { mbPerSecond, mbPerCpuSecond, rssMb: rssMax / MB };
}

function openWires(server: HttpServer, count: number): Promise<Wire[]> {
  return Promise.all(Array.from({ length: count }, () => Wire.open(server.address)));
}

export function quantile(values: readonly number[], part: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
