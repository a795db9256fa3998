// Each broker's own copy of the cluster's metadata: how new it is, its bytes, and bringing one back to a metadata service
// that forgot: what `admin().copies` offers. Timberline's own: brokers of a cluster answer it, no Kafka does.

import { clusterQuestion } from "../kafka/apis/cluster-question.ts";
import { describeCluster } from "../kafka/apis/describe-cluster.ts";
import { errorCodes } from "../kafka/error-codes.ts";
import type { ClusterCalls } from "./cluster-calls.ts";
import { ClientError, errorFromCode } from "./error.ts";

export interface CopyHolder {
  readonly id: number;
  readonly host: string;
  readonly port: number;
}

export interface MetadataCopy {
  readonly brokerId: number;
  readonly clusterId: string;
  /** Grows with each takeover of the controller, a restore included. */
  readonly controllerEpoch: number;
  /** Number of the newest entry that this broker knows. */
  readonly version: number;
  /** The metadata service holds less than this broker knows, or something else: a restore brings it back. */
  readonly isBehind: boolean;
  readonly isConnected: boolean;
  /** Why the broker takes no changes, null while it does. */
  readonly alarm: string | null;
  readonly topics: number;
  readonly partitions: number;
}

export interface HeldCopy extends CopyHolder {
  /** Null: it does not answer, `why` says how. */
  readonly copy: MetadataCopy | null;
  readonly why: string;
}

export interface MetadataCopies {
  /** Of all brokers that the one asked first knows, by id. */
  list(): Promise<readonly HeldCopy[]>;
  /** The whole copy, to be kept as a file. */
  snapshot(broker: CopyHolder): Promise<Uint8Array>;
  /**
   * `broker` writes what the snapshot holds to the metadata service, above all epochs it has seen, and reads it back.
   * Nothing that it knows itself is lost; of two records of a partition the newer counts.
   */
  restore(broker: CopyHolder, snapshot: Uint8Array): Promise<MetadataCopy>;
}

/** Who asks: no broker. */
const nobody = -1;
/** A restore waits until the broker has read back what it wrote. */
const restoreMsMax = 20_000;

export class ClusterCopies implements MetadataCopies {
  readonly #calls: ClusterCalls;

  constructor(calls: ClusterCalls) {
    this.#calls = calls;
  }

  async list(): Promise<readonly HeldCopy[]> {
    const where = "Describing the cluster";
    const message = { includeClusterAuthorizedOperations: false, includeFencedBrokers: true };
    const brokers = await this.#calls.anywhere(where, { api: describeCluster, message }, (answer) =>
      answer.brokers.map(({ brokerId: id, host, port }) => ({ id, host, port })),
    );
    const held = await Promise.all(brokers.map((broker) => this.#held(broker)));
    return held.sort((a, b) => a.id - b.id);
  }

  async snapshot(broker: CopyHolder): Promise<Uint8Array> {
    const answer = await this.#ask(broker, { ask: "snapshot" });
    return new TextEncoder().encode(String(answer));
  }

  async restore(broker: CopyHolder, snapshot: Uint8Array): Promise<MetadataCopy> {
    const question = { ask: "restore", snapshot: new TextDecoder().decode(snapshot) };
    return (await this.#ask(broker, question, restoreMsMax)) as MetadataCopy;
  }

  async #held(broker: CopyHolder): Promise<HeldCopy> {
    try {
      const copy = (await this.#ask(broker, { ask: "copy" })) as MetadataCopy;
      if (copy.brokerId === broker.id) return { ...broker, copy, why: "" };
      return { ...broker, copy: null, why: `broker ${copy.brokerId} answers there` };
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      return { ...broker, copy: null, why: error.message };
    }
  }

  async #ask(broker: CopyHolder, question: unknown, extraTimeoutMs = 0): Promise<unknown> {
    const where = `Asking broker ${broker.id} for its metadata`;
    const connection = await this.#calls.pool.to(broker);
    const request = {
      clusterId: await this.#clusterId(),
      fromId: nobody,
      question: new TextEncoder().encode(JSON.stringify(question)),
    };
    const answer = await connection.call(clusterQuestion, request, { extraTimeoutMs });
    if (answer.errorCode !== errorCodes.NONE) {
      throw errorFromCode(answer.errorCode, where, answer.message);
    }
    return JSON.parse(new TextDecoder().decode(answer.answer));
  }

  async #clusterId(): Promise<string> {
    const { metadata } = this.#calls;
    if (metadata.clusterId === null) await metadata.fetch([]);
    return metadata.clusterId ?? "";
  }
}
