// One client at work, run by `main.ts` as a process of its own: it produces for some seconds, one record at a time
// for some more, then reads the filled topic, and prints its figures as one line of JSON.

import { readFileSync } from "node:fs";
import { connect } from "./rivals.mjs";

/** Records a call, calls in flight: the same for all clients. */
const callRecords = 1_000;
const callsInFlight = 5;
const job = JSON.parse(readFileSync(0, "utf8"));

if (job.fill > 0) await fill();
else console.log(JSON.stringify(await measure()));
process.exit(0);

/** What all clients read: batches of 1,000 records. */
async function fill() {
  const client = await connect(job);
  const values = Array(callRecords).fill(Buffer.alloc(job.size, 97));
  for (let left = job.fill; left > 0; left -= callRecords) await client.produce(values);
  await client.close();
}

async function measure() {
  const client = await connect(job);
  const figures = { ...(await produceRate(client)), ...(await oneByOne(client)) };
  for (const [name, consume] of Object.entries(client.consume)) {
    const { records, seconds, cpu } = await read(consume);
    figures[name] = records / seconds;
    figures[`${name}Cpu`] = (cpu / records) * 1e6;
  }
  // A client that does not end must not hold up the rest.
  await Promise.race([client.close(), new Promise((done) => setTimeout(done, 2_000))]);
  return figures;
}

async function produceRate(client) {
  const values = Array(callRecords).fill(Buffer.alloc(job.size, 97));
  await produceFor(client, values, job.seconds / 4);
  return produceFor(client, values, job.seconds);
}

async function produceFor(client, values, seconds) {
  let records = 0;
  const startedMs = performance.now();
  const cpuBefore = cpuSeconds();
  const caller = async () => {
    while (performance.now() - startedMs < seconds * 1_000) {
      await client.produce(values);
      records += values.length;
    }
  };
  await Promise.all(Array.from({ length: callsInFlight }, caller));
  const produce = records / ((performance.now() - startedMs) / 1_000);
  return { produce, produceCpu: ((cpuSeconds() - cpuBefore) / records) * 1e6 };
}

/** One record at a time, the next when the last is acknowledged. */
async function oneByOne(client) {
  const value = [Buffer.alloc(job.size, 97)];
  const times = [];
  const endMs = performance.now() + (job.seconds / 2) * 1_000;
  for (let now = performance.now(); now < endMs; ) {
    await client.produce(value);
    const after = performance.now();
    times.push(after - now);
    now = after;
  }
  times.sort((a, b) => a - b);
  return {
    oneP50: times[Math.floor(times.length / 2)],
    oneP99: times[Math.floor(times.length * 0.99)],
  };
}

/** From its first record on, so that joining a group does not count; after a warm-up. */
async function read(consume) {
  await consume(counter(job.records / 10));
  return consume(counter(job.records));
}

function counter(wanted) {
  let seen = 0;
  let bytes = 0;
  let startedMs = 0;
  let cpuBefore = 0;
  let finish;
  const done = new Promise((resolve) => {
    finish = resolve;
  });
  return {
    done,
    get isFull() {
      return seen >= wanted;
    },
    see(value) {
      if (seen >= wanted) return;
      if (seen === 0) {
        startedMs = performance.now();
        cpuBefore = cpuSeconds();
      }
      bytes += value.length;
      if (++seen < wanted) return;
      if (bytes !== seen * job.size) throw new Error(`${bytes} bytes in ${seen} records`);
      const seconds = (performance.now() - startedMs) / 1_000;
      finish({ records: seen, seconds, cpu: cpuSeconds() - cpuBefore });
    },
  };
}

function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
