// InitProducerId: identities and errors by version.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { handleInitProducerId } from "../../../../runtime/kafka/apis/init-producer-id.ts";
import { AdminBroker, answered, contextOf } from "./admin-broker.ts";

const none = { transactionalId: null, transactionTimeoutMs: 60_000, producerId: -1 };

async function init(
  broker: AdminBroker,
  given: Partial<Parameters<typeof handleInitProducerId>[0]>,
  version = 5,
) {
  const request = { ...none, producerEpoch: -1, ...given };
  return answered(handleInitProducerId(request, contextOf(broker, version)));
}

test("handleInitProducerId() gives an idempotent producer an id and epoch", async () => {
  const broker = new AdminBroker();
  const answer = await init(broker, { producerId: 5, producerEpoch: 3 });
  assert.equal(answer, { throttleTimeMs: 0, errorCode: 0, producerId: 4000, producerEpoch: 0 });
  const asked = { ...none, producerId: 5, producerEpoch: 3 };
  assert.equal(broker.calls, [["initProducerId", asked]]);
});

test("handleInitProducerId() refuses half an identity and an empty transactional id", async () => {
  const broker = new AdminBroker();
  for (const given of [{ producerId: 5 }, { producerEpoch: 5 }, { transactionalId: "" }]) {
    const answer = await init(broker, given);
    assert.equal(answer, { throttleTimeMs: 0, errorCode: 42, producerId: -1, producerEpoch: -1 });
  }
  assert.is(broker.calls.length, 0);
});

test("handleInitProducerId() says PRODUCER_FENCED as the version can", async () => {
  const broker = new AdminBroker().refuse("tx", "PRODUCER_FENCED");
  assert.is((await init(broker, { transactionalId: "tx" }, 4)).errorCode, 90);
  assert.is((await init(broker, { transactionalId: "tx" }, 3)).errorCode, 47);
});

test.run();
