// The table of a transactional producer's states: every event in every state, and what errors lead to.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { ClientError, type ClientErrorCode } from "../../../runtime/client/error.ts";
import {
  consequence,
  move,
  type TransactionEvent,
  type TransactionState,
  unsettles,
} from "../../../runtime/client/transaction-state.ts";

const events = ["initialize", "begin", "spoil", "commit", "abort", "end", "close"] as const;

/** In the order of `events`; a dash where the event is refused. */
const table: Readonly<Record<TransactionState, string>> = {
  new: "ready - - - - - closed",
  ready: "- open - - - - closed",
  open: "- - spoiled committing aborting - closed",
  spoiled: "- - spoiled - aborting - closed",
  committing: "- - spoiled - - ready closed",
  aborting: "- - aborting - - ready closed",
  closed: "- - closed - - closed closed",
};

function outcome(state: TransactionState, event: TransactionEvent): string {
  try {
    return move(state, event);
  } catch (error) {
    assert.instance(error, ClientError);
    assert.is((error as ClientError).code, "INVALID_TXN_STATE");
    return "-";
  }
}

test("move() leads from state to state, and refuses what makes no sense", () => {
  for (const [state, row] of Object.entries(table)) {
    const found = events.map((event) => outcome(state as TransactionState, event));
    assert.is(found.join(" "), row, state);
  }
});

test("move() never commits what is spoiled, and nothing leads out of closed", () => {
  assert.is(outcome("spoiled", "commit"), "-");
  for (const event of events) assert.ok(["closed", "-"].includes(outcome("closed", event)));
});

test("consequence() closes who is fenced, and lets others abort", () => {
  const closing: ClientErrorCode[] = ["PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH", "CLOSED"];
  for (const code of closing) assert.is(consequence(code), "close", code);
  const aborting: ClientErrorCode[] = ["TRANSACTION_ABORTABLE", "ILLEGAL_GENERATION"];
  for (const code of aborting) assert.is(consequence(code), "abort", code);
});

test("unsettles() is true where the broker may count sequences otherwise than we do", () => {
  assert.ok(unsettles("OUT_OF_ORDER_SEQUENCE_NUMBER"));
  assert.ok(unsettles("REQUEST_TIMED_OUT"));
  assert.not(unsettles("MESSAGE_TOO_LARGE"));
});

test.run();
