// answersDue(): every request but that of a producer with acks=0 is answered, in every version's layout.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { answersDue } from "../../../runtime/kafka/answers-due.ts";
import { apiVersions } from "../../../runtime/kafka/apis/api-versions.ts";
import { clusterQuestion } from "../../../runtime/kafka/apis/cluster-question.ts";
import { produce } from "../../../runtime/kafka/apis/produce.ts";
import { writeRequestHeader } from "../../../runtime/kafka/headers.ts";
import { MalformedRequest } from "../../../runtime/kafka/malformed-request.ts";
import type { Api } from "../../../runtime/kafka/schema.ts";
import { Writer } from "../../../runtime/kafka/writer.ts";
import { concat, joined } from "./bytes.ts";

function frame<Req, ReqIn, Res, ResIn>(
  api: Api<Req, ReqIn, Res, ResIn>,
  apiVersion: number,
  message: ReqIn,
): Uint8Array {
  const writer = new Writer();
  writer.beginFrame();
  writeRequestHeader(writer, api, { apiVersion, correlationId: 7, clientId: "c" });
  api.encodeRequest(apiVersion, message, writer);
  writer.endFrame();
  return joined(writer);
}

const asked = frame(apiVersions, 3, { clientSoftwareName: "x", clientSoftwareVersion: "1" });

test("answersDue() counts requests, and leaves those out that are not answered", () => {
  assert.is(answersDue(asked), 1);
  assert.is(answersDue(concat([asked, asked, asked])), 3);
  for (let version = produce.versions.min; version <= produce.versions.max; version++) {
    for (const transactionalId of [null, "", "a name"]) {
      for (const acks of [-1, 0, 1]) {
        const sent = frame(produce, version, {
          transactionalId,
          acks,
          timeoutMs: 1,
          topicData: [],
        });
        const due = acks === 0 ? 0 : 1;
        assert.is(answersDue(sent), due, `v${version} ${transactionalId} acks=${acks}`);
        assert.is(answersDue(concat([sent, asked])), due + 1);
      }
    }
  }
});

test("answersDue() refuses what is cut off, and what only brokers may ask", () => {
  for (let length = 1; length < asked.length; length++) {
    assert.throws(() => answersDue(asked.subarray(0, length)), isMalformed, `${length} bytes`);
  }
  const negative = asked.slice();
  negative[0] = 255;
  assert.throws(() => answersDue(negative), isMalformed);
  const question = { clusterId: "c", fromId: 1, question: new Uint8Array(1) };
  assert.throws(() => answersDue(frame(clusterQuestion, 0, question)), isMalformed);
});

function isMalformed(error: unknown): boolean {
  return error instanceof MalformedRequest;
}

test.run();
