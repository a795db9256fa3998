// What tests of producers share.

import * as assert from "uvu/assert";
import { ClientError, createClient, type ProducerOptions } from "../../../runtime/client/mod.ts";
import type { FakeCluster } from "./fake-cluster.ts";

export function connect(cluster: FakeCluster, options: ProducerOptions = {}) {
  const platform = cluster.platform();
  const client = createClient({ platform, bootstrap: ["bootstrap:1"] });
  return { client, producer: client.producer(options) };
}

export async function rejection(promise: Promise<unknown>): Promise<ClientError> {
  try {
    await promise;
  } catch (error) {
    assert.instance(error, ClientError);
    return error as ClientError;
  }
  throw new Error("it should have rejected");
}
