// A metadata log that one process, or one object, keeps and serves to the brokers: both halves, and how a broker becomes
// a member through any log. Loaded only by brokers that are not alone.

import { openLogClient } from "../../cluster/log-client.ts";
import { serveLog } from "../../cluster/log-server.ts";
import { type ClusterMember, openClusterMember } from "../../cluster/member.ts";
import type { MemberSettings } from "../../cluster/member-parts.ts";
import type { MetadataLog } from "../../cluster/metadata-log.ts";
import type { Peers } from "../../cluster/peer.ts";
import { SharedLogStore } from "../../cluster/shared-log.ts";
import type { Listener, Platform } from "../platform.ts";
import type { Storage } from "../storage/storage.ts";
import { clusterFiles } from "./cluster-files.ts";
import { lineWire } from "./line-wire.ts";

/** What `createServer` is given as `joinCluster`. */
export function memberJoiner(
  platform: Platform,
  openLog: () => Promise<MetadataLog>,
  settings: Partial<MemberSettings>,
  alarmed: (alarm: string | null) => void,
) {
  return async (own: {
    readonly storage: Storage;
    readonly brokerId: number;
    readonly clusterId: string | undefined;
    readonly peers: Peers;
  }) => {
    const { storage, brokerId, clusterId, peers } = own;
    const log = await openLog();
    try {
      const member = await openClusterMember({
        ...{ log, peers, brokerId, settings, alarmed },
        clock: platform.clock,
        random: platform.random,
        files: clusterFiles(storage),
        ...(clusterId === undefined ? {} : { clusterId }),
      });
      return membership(member, log);
    } catch (error) {
      await log.close();
      throw error;
    }
  };
}

/** Keeps the metadata of brokers on this machine in `storage`, and serves it to them on a loopback port. */
export async function serveMetadata(platform: Platform, storage: Storage): Promise<Listener> {
  const store = new SharedLogStore(clusterFiles(storage));
  const listener = await platform.network.listen({ host: "127.0.0.1", port: 0 }, (connection) =>
    serveLog(store.open(), lineWire(connection)),
  );
  return {
    host: listener.host,
    port: listener.port,
    async close() {
      await listener.close();
      await store.close();
    },
  };
}

/** The log that somebody serves there. */
export async function openServedLog(
  { clock, network }: Pick<Platform, "clock" | "network">,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<MetadataLog> {
  const dial = async () => lineWire(await network.dial({ host, port, timeoutMs: 1_000 }));
  return openLogClient({ dial, clock });
}

/** The member, whose end is also the end of its log. */
function membership(member: ClusterMember, log: MetadataLog) {
  const close = member.close.bind(member);
  member.close = async () => {
    await close();
    await log.close();
  };
  return {
    controlPlane: member,
    answer: (question: unknown, fromId: number) => member.answer(question, fromId),
  };
}
