// A cluster that grows and shrinks: the spare broker joins, another one hands over all it has, stops, and is forgotten.

import type { BrokerHost } from "./cluster.ts";
import type { Nemesis } from "./nemesis.ts";

const lookEveryMs = 300;

/** The spare machine's broker starts; undefined if there is none. */
export function addBroker({ brokers }: Nemesis): BrokerHost | undefined {
  const spare = brokers.all.find(({ isMember }) => !isMember);
  if (spare === undefined) return undefined;
  spare.isMember = true;
  brokers.start(spare);
  return spare;
}

/** As an administrator does it; goes on until it is done, whatever else happens. */
export function decommission(nemesis: Nemesis): BrokerHost | undefined {
  const { brokers, random, world } = nemesis;
  const { hosts, running } = brokers;
  if (hosts.length <= 3 || running.length < hosts.length || brokers.isShrinking) return undefined;
  const host = random.pick(hosts);
  // A broker that has not heard of it yet would say that it is forgotten.
  const isKnown = running.every(({ server }) => server!.broker.cluster().brokers.has(host.id));
  if (!isKnown) return undefined;
  host.isLeaving = true;
  const look = () => {
    if (!goOn(nemesis, host)) world.after(lookEveryMs, look);
  };
  world.after(0, look);
  return host;
}

/** The next step; true: it is gone. */
function goOn({ brokers }: Nemesis, host: BrokerHost): boolean {
  const asked = brokers.running.find((each) => each !== host);
  if (asked === undefined) return false;
  const { brokers: known, topics } = asked.server!.broker.cluster();
  if (host.isEmptied && host.state === "off" && !known.has(host.id)) {
    host.retire();
    return true;
  }
  const held = [...topics.values()].flatMap(({ name, partitions }) =>
    partitions
      .filter(({ replicas }) => replicas.includes(host.id))
      .map((record) => ({ ...record, topic: name })),
  );
  const wishes = held
    .filter(({ removing }) => !removing.includes(host.id))
    .map(({ topic, partition, replicas, removing }) => {
      const kept = replicas.filter((id) => id !== host.id && !removing.includes(id));
      const next = brokers.hosts.find((each) => each !== host && !kept.includes(each.id));
      return { topic, partition, replicas: next ? [...kept, next.id] : kept };
    });
  if (wishes.length > 0) brokers.ask(asked, (member) => member.reassign(wishes));
  if (held.length > 0) return false;
  if (host.isRunning) {
    host.isEmptied = true;
    brokers.stop(host);
  } else if (host.state === "off" && host.isEmptied) {
    brokers.ask(asked, (member) => member.unregister(host.id));
  }
  return false;
}
