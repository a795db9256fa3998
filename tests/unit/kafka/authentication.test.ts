// A SASL listener as strangers meet it: nothing but versions and SASL before they are known, little memory, little time.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { apiVersions } from "../../../runtime/kafka/apis/api-versions.ts";
import { metadata } from "../../../runtime/kafka/apis/metadata.ts";
import { saslAuthenticate } from "../../../runtime/kafka/apis/sasl-authenticate.ts";
import { saslHandshake } from "../../../runtime/kafka/apis/sasl-handshake.ts";
import { createKafkaDoor } from "../../../runtime/kafka/door.ts";
import { errorCodes } from "../../../runtime/kafka/error-codes.ts";
import { SaslRefusal, type SaslServer } from "../../../runtime/security/sasl.ts";
import { concat } from "./bytes.ts";
import {
  answerOf,
  FakeBroker,
  FakeConnection,
  fakePlatform,
  requestFrame,
  settled,
  topicRecord,
} from "./fakes.ts";

const deadlineMs = 1_000;
const requestBytesMax = 4_096;

/** Lets in whoever says their name twice. */
function echo(sessionMs: number): SaslServer {
  return {
    mechanisms: ["PLAIN"],
    limits: { requestBytesMax, deadlineMs, refusalDelayMs: 0, sessionMs },
    begin: () => ({
      async respond(token) {
        const [name = "", again] = new TextDecoder().decode(token).split(" ");
        if (name !== again) throw new SaslRefusal("who?");
        return { token: new Uint8Array(0), username: name };
      },
    }),
  };
}

function setUp(sessionMs = 0) {
  const { platform, clock } = fakePlatform();
  const notices: string[] = [];
  const door = createKafkaDoor({
    platform,
    broker: new FakeBroker().add(topicRecord("t", 1)).broker,
    report: (error) => assert.unreachable(String(error)),
    notice: (message) => notices.push(message),
    listener: "ASKING",
    listeners: new Map([["ASKING", { sasl: echo(sessionMs) }]]),
  });
  const client = new FakeConnection();
  door.accept(client);
  return { client, clock, notices };
}

const handshake = (mechanism = "PLAIN") =>
  requestFrame(saslHandshake, { version: 1, correlationId: 1 }, { mechanism });
const token = (text: string) =>
  requestFrame(
    saslAuthenticate,
    { version: 2, correlationId: 2 },
    { authBytes: new TextEncoder().encode(text) },
  );
const topics = () => requestFrame(metadata, { version: 9, correlationId: 3 }, { topics: [] });

/** Frames received when all is settled. */
async function answers(client: FakeConnection) {
  await settled();
  await settled();
  return client.frames();
}

test("what is not about SASL ends the connection before authentication, and is served after it", async () => {
  const stranger = setUp();
  stranger.client.send(topics());
  await settled();
  assert.ok(stranger.client.destroyed);
  assert.match(stranger.notices[0] ?? "", /Metadata before SASL authentication/);

  const { client } = setUp();
  const versions = { clientSoftwareName: "a", clientSoftwareVersion: "1" };
  client.send(requestFrame(apiVersions, { version: 3, correlationId: 0 }, versions));
  client.send(handshake());
  client.send(token("alice alice"));
  await answers(client);
  client.send(topics());
  await answers(client);
  assert.not(client.destroyed);
  assert.equal(client.correlationIds(), [0, 1, 2, 3]);
});

test("requests sent before the answer to a token wait for it", async () => {
  const { client } = setUp();
  client.send(concat([handshake(), token("alice alice"), topics()]));
  await answers(client);
  assert.not(client.destroyed);
  assert.equal(client.correlationIds(), [1, 2, 3]);
});

test("a wrong token gets SASL_AUTHENTICATION_FAILED, and the connection ends", async () => {
  const { client, clock } = setUp();
  client.send(handshake());
  await answers(client);
  client.pieces.length = 0;
  client.send(concat([token("alice bob"), topics()]));
  await settled();
  clock.advance(1);
  const received = await answers(client);
  assert.is(received.length, 1, "what came after it is not served");
  const response = answerOf(saslAuthenticate, 2, received[0]);
  assert.is(response.errorCode, errorCodes.SASL_AUTHENTICATION_FAILED);
  assert.is(response.errorMessage, "who?");
  assert.ok(client.ended);
});

test("a mechanism that is not offered, and tokens without one, are Kafka's errors", async () => {
  const other = setUp().client;
  other.send(handshake("GSSAPI"));
  const offered = answerOf(saslHandshake, 1, (await answers(other))[0]);
  assert.is(offered.errorCode, errorCodes.UNSUPPORTED_SASL_MECHANISM);
  assert.equal(offered.mechanisms, ["PLAIN"]);
  assert.ok(other.ended);

  const early = setUp().client;
  early.send(token("alice alice"));
  const refused = answerOf(saslAuthenticate, 2, (await answers(early))[0]);
  assert.is(refused.errorCode, errorCodes.ILLEGAL_SASL_STATE);
  assert.ok(early.ended);
});

test("a stranger may send little and has little time", async () => {
  const large = setUp();
  large.client.send(new Uint8Array([0, 0, (requestBytesMax + 1) >> 8, 1]));
  await settled();
  assert.ok(large.client.destroyed);

  const slow = setUp();
  slow.client.send(handshake());
  slow.clock.advance(deadlineMs + 1);
  await settled();
  assert.ok(slow.client.destroyed);
  assert.match(slow.notices[0] ?? "", /not authenticated in 1000 ms/);
});

test("a session that has ended serves nothing until it is begun anew, by the same user", async () => {
  const sessionMs = 500;
  const begin = async () => {
    const all = setUp(sessionMs);
    all.client.send(concat([handshake(), token("alice alice")]));
    await answers(all.client);
    all.clock.advance(sessionMs + 1);
    all.client.pieces.length = 0;
    return all;
  };
  const late = await begin();
  late.client.send(topics());
  await settled();
  assert.ok(late.client.destroyed);

  const anew = await begin();
  anew.client.send(concat([handshake(), token("alice alice"), topics()]));
  await answers(anew.client);
  assert.not(anew.client.destroyed);

  const other = await begin();
  other.client.send(concat([handshake(), token("bob bob")]));
  await settled();
  other.clock.advance(1);
  await answers(other.client);
  assert.ok(other.client.ended);
});

test.run();
