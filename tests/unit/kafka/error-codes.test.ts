// The table of error codes.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { errorCodes, errorName } from "../../../runtime/kafka/error-codes.ts";

test("errorName() and errorCodes are one another's inverse, without gaps", () => {
  const codes = Object.values(errorCodes).toSorted((a, b) => a - b);
  assert.equal(
    codes,
    Array.from({ length: codes.length }, (_, i) => i - 1),
  );
  for (const [name, code] of Object.entries(errorCodes)) assert.is(errorName(code), name);
});

test.run();
