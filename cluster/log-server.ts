// Serves a metadata log to other processes on this machine: the parent of several brokers keeps the log, they follow
// it and append to it. One connection a broker.

import { bytesOf, type ToClient, type ToServer, textOf, type Wire } from "./log-wire.ts";
import { AppendConflict, type MetadataLog } from "./metadata-log.ts";

/** Serves `log` on one connection until it breaks; `log` is the connection's own handle and closed with it. */
export function serveLog(log: MetadataLog, wire: Wire): void {
  const follows = new Map<number, () => void>();
  const tell = (message: ToClient) => wire.send(JSON.stringify(message));
  const endSignals = log.onSignal((bytes) => tell({ say: "signal", bytes: textOf(bytes) }));
  wire.open({
    received: (line) => hear(JSON.parse(line) as ToServer, { log, follows, tell }),
    closed() {
      endSignals();
      for (const end of follows.values()) end();
      void log.close();
    },
  });
}

interface Served {
  readonly log: MetadataLog;
  readonly follows: Map<number, () => void>;
  tell(message: ToClient): void;
}

function hear(message: ToServer, served: Served): void {
  const { log, follows, tell } = served;
  if (message.say === "follow") follows.set(message.follow, startFollow(message, served));
  else if (message.say === "signal") log.signal(bytesOf(message.bytes));
  else if (message.say === "unfollow") {
    follows.get(message.follow)?.();
    follows.delete(message.follow);
  } else if (message.say === "append") {
    const { ask, expected, id } = message;
    answer(ask, log.append({ expected, id, bytes: bytesOf(message.bytes) }), tell);
  } else {
    const trimmed = log.trim(message.before).then(() => 0);
    answer(message.ask, trimmed, tell);
  }
}

function startFollow(
  { follow, from }: Extract<ToServer, { say: "follow" }>,
  { log, tell }: Served,
): () => void {
  return log.follow(from, {
    entry: ({ sequence, bytes }) => tell({ say: "entry", follow, sequence, bytes: textOf(bytes) }),
    caughtUp: (last) => tell({ say: "caught-up", follow, last }),
    reset: () => tell({ say: "reset", follow }),
  });
}

function answer(ask: number, work: Promise<number>, tell: Served["tell"]): void {
  work.then(
    (sequence) => tell({ say: "done", ask, sequence }),
    (error: unknown) => {
      const say = error instanceof AppendConflict ? "conflict" : "unavailable";
      tell({ say, ask, message: error instanceof Error ? error.message : String(error) });
    },
  );
}
