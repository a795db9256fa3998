// Real input: the 3,000,000 flights of 2001 that the npm package vega-datasets brings as a Parquet file, as JSON
// lines of about 100 bytes, keyed by the airport of departure, in the order of departure.

import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { asyncBufferFromFile, parquetMetadataAsync, parquetRead } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { partitionForKey } from "../../runtime/partitioner.ts";
import { FlightDigest } from "./flight-digest.ts";

export const flightsTotal = 3_000_000;

export interface Flight {
  readonly key: string;
  /** The flight's date, in 2001. */
  readonly timestampMs: number;
  /** Canonical JSON: the columns in the file's order, no spaces. ASCII. */
  readonly line: string;
}

/**
 * The flights as a file of lines `time TAB key TAB json`, which every way in is fed from.
 */
export interface FlightsFile {
  readonly path: string;
  readonly count: number;
  readonly bytes: number;
  /** What must come out, with the flights' timestamps and without any. */
  readonly timed: FlightDigest;
  readonly untimed: FlightDigest;
  /** Records per partition. */
  readonly counts: readonly number[];
}

/** Bytes before the key: 12 digits, as times up to September 2001 have, and a tab. */
export const keyColumn = 13;

const chunkBytes = 1 << 18;

/** Writes the first `count` flights into `folder`, and what they must look like when they come out. */
export async function writeFlights(
  folder: string,
  { count, partitions }: { count: number; partitions: number },
): Promise<FlightsFile> {
  const path = join(folder, "flights.tsv");
  const timed = new FlightDigest({ withTime: true });
  const untimed = new FlightDigest({ withTime: false });
  const counts = new Array<number>(partitions).fill(0);
  const file = await open(path, "w");
  let bytes = 0;
  for await (const flights of readFlights(count)) {
    let text = "";
    for (const { key, timestampMs, line } of flights) {
      const partition = partitionOfKey(key, partitions);
      const value = Buffer.from(line);
      const record = { partition, key, timestampMs, value };
      timed.add(record);
      untimed.add(record);
      counts[partition]! += 1;
      bytes += value.length;
      text += `${timestampMs}\t${key}\t${line}\n`;
    }
    await file.write(text);
  }
  await file.close();
  return { path, count, bytes, timed, untimed, counts };
}

/** Where every Kafka client puts a key. */
export function partitionOfKey(key: string, partitions: number): number {
  return partitionForKey(Buffer.from(key), partitions);
}

/** The first flights, in groups of some thousands. */
async function* readFlights(count: number): AsyncGenerator<Flight[]> {
  const groupSize = 10_000;
  const file = await asyncBufferFromFile(parquetPath());
  const metadata = await parquetMetadataAsync(file);
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = Math.min(count, rowStart + Number(group.num_rows));
    if (rowStart >= rowEnd) return;
    const columns = new Map<string, ArrayLike<unknown>>();
    await parquetRead({
      file,
      metadata,
      compressors,
      rowStart,
      rowEnd,
      onChunk: ({ columnName, columnData, rowStart: first }) => {
        if (first !== rowStart) throw new Error(`${columnName} came in more than one piece`);
        columns.set(columnName, columnData);
      },
    });
    for (let at = 0; at < rowEnd - rowStart; at += groupSize) {
      yield flightsOf(columns, at, Math.min(at + groupSize, rowEnd - rowStart));
    }
    rowStart += Number(group.num_rows);
  }
}

function flightsOf(
  columns: ReadonlyMap<string, ArrayLike<unknown>>,
  from: number,
  to: number,
): Flight[] {
  const column = (name: string): ArrayLike<unknown> => {
    const found = columns.get(name);
    if (found === undefined) throw new Error(`the file has no column ${name}`);
    return found;
  };
  const [dates, delays, distances] = [column("date"), column("delay"), column("distance")];
  const [origins, destinations] = [column("origin"), column("destination")];
  return Array.from({ length: to - from }, (_, i) => {
    const row = from + i;
    const date = dates[row] as Date;
    const key = String(origins[row]);
    const line =
      `{"date":"${date.toISOString()}","delay":${delays[row]},"distance":${distances[row]},` +
      `"origin":"${key}","destination":"${destinations[row]}"}`;
    return { key, timestampMs: date.getTime(), line };
  });
}

function parquetPath(): string {
  const require = createRequire(import.meta.url);
  let folder = dirname(require.resolve("vega-datasets"));
  while (!folder.endsWith("vega-datasets")) folder = dirname(folder);
  return join(folder, "data/flights-3m.parquet");
}

/** The file in chunks of whole lines. */
export async function* readChunks(file: FlightsFile): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const read of createReadStream(file.path, { highWaterMark: chunkBytes })) {
    const bytes = rest.length === 0 ? (read as Buffer) : Buffer.concat([rest, read as Buffer]);
    const end = bytes.lastIndexOf(0x0a) + 1;
    rest = Buffer.from(bytes.subarray(end));
    if (end > 0) yield bytes.subarray(0, end);
  }
}

/** The flights of a chunk of lines. */
export function parseFlights(chunk: Buffer): Flight[] {
  const lines = chunk.toString("latin1", 0, chunk.length - 1).split("\n");
  return lines.map((text) => {
    const keyEnd = text.indexOf("\t", keyColumn);
    return {
      timestampMs: Number(text.slice(0, keyColumn - 1)),
      key: text.slice(keyColumn, keyEnd),
      line: text.slice(keyEnd + 1),
    };
  });
}
