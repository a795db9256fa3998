// The one mapping of this door: names to statuses, and what a client is told.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerError } from "../../../runtime/errors.ts";
import { errorAnswer, HttpError, isUnexpected, statusOfCode } from "../../../runtime/http/error.ts";

test("statusOfCode maps every name to a client's or a server's error", () => {
  for (const [code, status] of Object.entries(statusOfCode)) {
    assert.ok(status >= 400 && status < 600, code);
  }
});

test("errorAnswer() keeps code and message of what is known", () => {
  const { status, body } = errorAnswer(new BrokerError("TOPIC_ALREADY_EXISTS", "topic t exists"));
  assert.is(status, 409);
  assert.equal(body, {
    error: { code: "TOPIC_ALREADY_EXISTS", message: "topic t exists", status: 409 },
  });
});

test("errorAnswer() adds details beside the code, which they cannot replace", () => {
  const error = new HttpError("INVALID_REQUEST", "no", {
    status: 415,
    details: { line: 3, code: "OTHER" },
    beside: { stored: {} },
    headers: { "retry-after": "1" },
  });
  const answer = errorAnswer(error);
  assert.is(answer.status, 415);
  assert.equal(answer.body, {
    error: { line: 3, code: "INVALID_REQUEST", message: "no", status: 415 },
    stored: {},
  });
  assert.equal(answer.headers, { "retry-after": "1" });
});

test("isUnexpected() is true for bugs only", () => {
  assert.is(isUnexpected(new TypeError("x")), true);
  assert.is(isUnexpected(new BrokerError("UNKNOWN_SERVER_ERROR", "x")), true);
  assert.is(isUnexpected(new BrokerError("INVALID_RECORD", "x")), false);
});

test.run();
