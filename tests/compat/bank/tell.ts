// The side of a teller that is written in TypeScript which does not depend on its client: what it is told, and what it
// answers (see `teller.ts`).

import { createInterface } from "node:readline";

/** What a teller does with its client. Each may throw. */
export interface Desk<Open> {
  begin(): Promise<Open>;
  send(open: Open, legs: readonly Leg[]): Promise<unknown>;
  commit(open: Open): Promise<unknown>;
  abort(open: Open): Promise<unknown>;
}

export interface Leg {
  readonly topic: string;
  readonly partition: number;
  readonly key: string;
  readonly value: string;
}

/** Makes the transfers it is told on stdin, one a line, until there are no more. */
export async function tell<Open>(desk: Desk<Open>): Promise<void> {
  // The first transaction registers the id, and ends what a teller before left open.
  await desk.abort(await desk.begin());
  console.log("ready");
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const next = async () => (await lines.next()).value as string | undefined;
  for (let line = await next(); line !== undefined; line = await next()) {
    await transfer(desk, line, next);
  }
}

async function transfer<Open>(
  desk: Desk<Open>,
  line: string,
  next: () => Promise<string | undefined>,
): Promise<void> {
  const [id = "", end, ...legs] = line.split(" ");
  let open: Open | undefined;
  try {
    open = await desk.begin();
    await desk.send(
      open,
      legs.map((leg) => legOf(id, leg)),
    );
    if (end === "hold") {
      console.log(`held ${id}`);
      if ((await next()) === undefined) return;
    }
  } catch (error) {
    if (open !== undefined) await desk.abort(open).catch(() => {});
    leave(`lost ${id} ${error}`);
  }
  try {
    await (end === "abort" ? desk.abort(open) : desk.commit(open));
  } catch (error) {
    leave(`${end === "abort" ? "lost" : "unknown"} ${id} ${error}`);
  }
  console.log(`${end === "abort" ? "aborted" : "committed"} ${id}`);
}

function legOf(id: string, text: string): Leg {
  const [topic = "", partition, key = "", amount] = text.split(":");
  return { topic, partition: Number(partition), key, value: `${id} ${amount}` };
}

function leave(why: string): never {
  console.log(why.replaceAll("\n", " "));
  process.exit(1);
}
