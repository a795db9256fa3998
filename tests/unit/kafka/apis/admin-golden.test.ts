// Golden bytes of the admin APIs: what Kafka's own classes write is what ours write, and read.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { Reader } from "../../../../runtime/kafka/reader.ts";
import { Writer } from "../../../../runtime/kafka/writer.ts";
import { hex, joined, unhex } from "../bytes.ts";
import { golden } from "./admin-golden.ts";
import { samples } from "./admin-messages.ts";

const plain = (text: string) => text.replaceAll(/\s/g, "");

for (const { api, request, response } of samples) {
  for (const expected of golden[api.name] ?? []) {
    const { version } = expected;

    test(`encodeRequest() of ${api.name} v${version} writes Kafka's bytes`, () => {
      const writer = new Writer();
      api.encodeRequest(version, request as never, writer);
      assert.is(hex(joined(writer)), plain(expected.request));
    });

    test(`encodeResponse() of ${api.name} v${version} writes Kafka's bytes`, () => {
      const writer = new Writer();
      api.encodeResponse(version, response as never, writer);
      assert.is(hex(joined(writer)), plain(expected.response));
    });

    test(`decodeRequest() of ${api.name} v${version} reads what it writes, to the last byte`, () => {
      const bytes = unhex(expected.request);
      const decoded = api.decodeRequest(version, new Reader(bytes));
      const writer = new Writer();
      api.encodeRequest(version, decoded as never, writer);
      assert.is(hex(joined(writer)), hex(bytes));
    });

    test(`decodeResponse() of ${api.name} v${version} reads what it writes, to the last byte`, () => {
      const bytes = unhex(expected.response);
      const decoded = api.decodeResponse(version, new Reader(bytes));
      const writer = new Writer();
      api.encodeResponse(version, decoded as never, writer);
      assert.is(hex(joined(writer)), hex(bytes));
    });

    test(`decodeRequest() of ${api.name} v${version} refuses every shorter frame`, () => {
      const bytes = unhex(expected.request);
      for (let length = 0; length < bytes.length; length++) {
        const cut = () => api.decodeRequest(version, new Reader(bytes, 0, length));
        assert.throws(cut, (error: unknown) => (error as Error).name === "MalformedRequest");
      }
    });
  }
}

test("golden has the highest version of every admin API, and the last inflexible one", () => {
  for (const { api } of samples) {
    const versions = (golden[api.name] ?? []).map(({ version }) => version);
    assert.is(versions.at(-1), api.versions.max, api.name);
    const hasInflexible = !api.isFlexible(api.versions.min);
    assert.is(versions.length, hasInflexible ? 2 : 1, api.name);
  }
});

test.run();
