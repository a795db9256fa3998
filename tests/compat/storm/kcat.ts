// Members that are kcat -G: librdkafka with its own commits in the background. kcat prints every record at once;
// who holds what comes from its rebalance lines, the generation from librdkafka's own log.

import { LineListener, ProcessMember, type Seat, type StormClient } from "./member.ts";
import { Reporter } from "./reporter.ts";

export function kcatClient(kcat: string, version: string): StormClient {
  return {
    name: "kcat",
    version,
    leavesOneUnread: true,
    start(seat) {
      const reporter = new Reporter(seat.path);
      const ear = new KcatEar(reporter);
      return new ProcessMember(command(kcat, seat), new LineListener(reporter, ear.hear));
    },
  };
}

function command(kcat: string, seat: Seat): string[] {
  const settings = {
    "auto.offset.reset": "earliest",
    "session.timeout.ms": seat.sessionMs,
    "heartbeat.interval.ms": seat.heartbeatMs,
    "max.poll.interval.ms": seat.rebalanceMs,
    "auto.commit.interval.ms": seat.commitMs,
    ...(seat.instanceId === null ? {} : { "group.instance.id": seat.instanceId }),
  };
  const flags = Object.entries(settings).flatMap(([key, value]) => ["-X", `${key}=${value}`]);
  const reading = ["-b", seat.bootstrap, "-d", "cgrp", "-f", "@%p %o\\n", "-G", seat.group];
  // One pipe for records and messages keeps their order; a line is written as soon as it is whole, so that no
  // record is committed that only stands in a buffer.
  const lines = ["stdbuf", "-oL", "-eL", kcat, ...flags, ...reading, seat.topic];
  return ["sh", "-c", 'exec "$@" 2>&1', "sh", ...lines];
}

/** Understands kcat's lines. Those of librdkafka's log may stand within one of kcat's. */
class KcatEar {
  readonly #reporter: Reporter;
  #generation = -1;
  #begun = "";

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  readonly hear = (line: string): void => {
    const logAt = line.indexOf("%7|");
    if (logAt >= 0) {
      this.#begun += line.slice(0, logAt);
      const joined = /JoinGroup response: GenerationId (\d+)/.exec(line);
      if (joined !== null) this.#generation = Number(joined[1]);
      return;
    }
    const whole = this.#begun + line;
    this.#begun = "";
    if (whole.startsWith("@")) this.#read(whole);
    else this.#rebalanced(whole);
  };

  #read(line: string): void {
    const space = line.indexOf(" ");
    this.#reporter.read(Number(line.slice(1, space)), Number(line.slice(space + 1)));
  }

  #rebalanced(line: string): void {
    const found = /rebalanced \(memberid (\S*)\): (assigned|revoked): (.*)$/.exec(line);
    if (found === null) return;
    const [, memberId = "", what, places = ""] = found;
    const named = Array.from(places.matchAll(/\[(\d+)\]/g), ([, partition]) => Number(partition));
    this.#reporter.holds(memberId, this.#generation, what === "assigned" ? named : []);
  }
}
