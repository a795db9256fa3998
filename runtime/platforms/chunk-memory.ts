// Gives the memory of received bytes back as soon as they are handled. Node reads every 64 KiB into a new
// ArrayBuffer; left to the garbage collector, 500 MB/s of them start a full collection eight times a second, which
// costs a quarter of all CPU time. Only `node.ts` uses it: Deno and Bun reuse or collect theirs in other ways.

import { MessageChannel, type MessagePort } from "node:worker_threads";

/** Smaller ones are cheaper to collect than to free. */
const freedBytesMin = 8 * 1024;

/** `chunk` and all other views of its memory are empty afterwards. Shared pools are left alone. */
export function freeChunk(chunk: Uint8Array): void {
  const { buffer } = chunk;
  if (chunk.length < freedBytesMin || chunk.length !== buffer.byteLength) return;
  if (buffer instanceof ArrayBuffer) free(buffer);
}

/** Just below the largest block whose release teaches glibc's allocator (32 MiB with its own header). */
const lessonBytes = 32 * 1024 * 1024 - 8 * 1024;

/**
 * Lets glibc's allocator keep what is freed for what comes next, up to 64 MiB. It raises its limits to the size of the
 * largest block it got back (mallopt(3), M_MMAP_THRESHOLD), so one is allocated, never touched, and freed. Otherwise it
 * returns the memory of each Fetch answer to the system, which clears every page of the next: a quarter of the CPU of a
 * consumer of large records. Other allocators take it as any block that comes and goes.
 */
export function keepFreedMemory(): void {
  freeChunk(new Uint8Array(lessonBytes));
}

/** ECMAScript 2024, which Node 20 does not have. */
type Transferable = ArrayBuffer & { transfer?(length: number): ArrayBuffer };

const free = "transfer" in ArrayBuffer.prototype ? freeByTransfer : freeByPort;

function freeByTransfer(buffer: Transferable): void {
  buffer.transfer?.(0);
}

/** What is sent to a closed port is detached here and arrives nowhere. */
function freeByPort(buffer: ArrayBuffer): void {
  closedPort ??= openClosedPort();
  closedPort.postMessage(null, [buffer]);
}

let closedPort: MessagePort | undefined;

function openClosedPort(): MessagePort {
  const { port1 } = new MessageChannel();
  port1.close();
  return port1;
}
