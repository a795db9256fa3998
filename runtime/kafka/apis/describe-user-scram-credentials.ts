// DescribeUserScramCredentials (50): who may authenticate by SCRAM, with which mechanisms and iterations; never more
// (KIP-554). Users of the configuration are not among them: nothing here can change those.

import type { CredentialKeeper } from "../../security/credential-keeper.ts";
import { errorCodes } from "../error-codes.ts";
import type { Handler } from "../handler.ts";
import { array, defineApi, int8, int16, int32, string, struct } from "../schema.ts";

export const describeUserScramCredentials = defineApi({
  key: 50,
  name: "DescribeUserScramCredentials",
  versions: { min: 0, max: 0 },
  flexibleSince: 0,
  request: struct({ users: array(struct({ name: string() }), { nullable: true }) }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16({ default: 0 }),
    errorMessage: string({ nullable: true, default: null }),
    results: array(
      struct({
        user: string(),
        errorCode: int16({ default: 0 }),
        errorMessage: string({ nullable: true, default: null }),
        credentialInfos: array(struct({ mechanism: int8(), iterations: int32() })),
      }),
    ),
  }),
});

/** Numbers of the protocol. */
export const mechanismNumbers = { "SCRAM-SHA-256": 1, "SCRAM-SHA-512": 2 } as const;

export function describeUsersHandler(
  keeper: CredentialKeeper,
): Handler<typeof describeUserScramCredentials> {
  return (request) => {
    const known = keeper.describe();
    const asked = request.users?.map(({ name }) => name) ?? [];
    const names = asked.length === 0 ? [...known.keys()] : [...new Set(asked)];
    return {
      results: names.map((user) => {
        if (asked.filter((name) => name === user).length > 1) return repeated(user);
        const found = known.get(user);
        if (found === undefined) return unknown(user);
        const credentialInfos = found.map(({ mechanism, iterations }) => ({
          mechanism: mechanismNumbers[mechanism],
          iterations,
        }));
        return { user, credentialInfos };
      }),
    };
  };
}

function unknown(user: string) {
  const errorMessage = `Attempt to describe a user credential that does not exist: ${user}`;
  return { user, errorCode: errorCodes.RESOURCE_NOT_FOUND, errorMessage, credentialInfos: [] };
}

function repeated(user: string) {
  const errorMessage = `Cannot describe SCRAM credentials for the same user twice in a single request: ${user}`;
  return { user, errorCode: errorCodes.DUPLICATE_RESOURCE, errorMessage, credentialInfos: [] };
}
