// Code of the server that is loaded when somebody needs it: in a host that starts often, code costs more time than
// anything else. What was loaded once is there at once, without a turn of the event loop. Used by `server*.ts`.

type PeersCode = typeof import("./server-peers.ts");
type KafkaCode = typeof import("./kafka/door.ts");

let peers: PeersCode | undefined;
let kafka: KafkaCode | undefined;

/** Of a broker that is one of several. */
export function peersCode(): PeersCode | Promise<PeersCode> {
  return peers ?? loadPeers();
}

/** The Kafka door: a third of a broker's code. */
export function kafkaCode(): KafkaCode | Promise<KafkaCode> {
  return kafka ?? loadKafka();
}

/** All of it, for hosts in which nothing may wait for the disk later. */
export async function loadServerCode(): Promise<void> {
  await Promise.all([loadPeers(), loadKafka()]);
}

async function loadPeers(): Promise<PeersCode> {
  peers = await import("./server-peers.ts");
  return peers;
}

async function loadKafka(): Promise<KafkaCode> {
  kafka = await import("./kafka/door.ts");
  return kafka;
}
