// AlterUserScramCredentials (51): passwords of users, as salted proofs that the client has made, and their end (KIP-554).
// A user who is named twice, or wrongly once, is not changed at all.

import type { CredentialChange, CredentialKeeper } from "../../security/credential-keeper.ts";
import {
  credentialOf,
  iterationsMax,
  iterationsMin,
  type ScramMechanism,
} from "../../security/scram-credential.ts";
import { errorCodes } from "../error-codes.ts";
import type { Handler } from "../handler.ts";
import { itemError } from "../item-error.ts";
import {
  array,
  bytes,
  defineApi,
  int8,
  int16,
  int32,
  type RequestOf,
  string,
  struct,
} from "../schema.ts";
import { mechanismNumbers } from "./describe-user-scram-credentials.ts";

export const alterUserScramCredentials = defineApi({
  key: 51,
  name: "AlterUserScramCredentials",
  versions: { min: 0, max: 0 },
  flexibleSince: 0,
  request: struct({
    deletions: array(struct({ name: string(), mechanism: int8() })),
    upsertions: array(
      struct({
        name: string(),
        mechanism: int8(),
        iterations: int32(),
        salt: bytes(),
        saltedPassword: bytes(),
      }),
    ),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    results: array(
      struct({
        user: string(),
        errorCode: int16(),
        errorMessage: string({ nullable: true, default: null }),
      }),
    ),
  }),
});

type Upsertion = RequestOf<typeof alterUserScramCredentials>["upsertions"][number];
type Refusal = { readonly errorCode: number; readonly errorMessage: string };

const nameCharactersMax = 256;
const saltBytesMax = 1_024;
const saltedBytes = { "SCRAM-SHA-256": 32, "SCRAM-SHA-512": 64 } as const;

export function alterUsersHandler(
  keeper: CredentialKeeper,
): Handler<typeof alterUserScramCredentials> {
  return async (request, context) => {
    const refusals = new Map<string, Refusal>();
    const named = new Set<string>();
    const changes: Promise<CredentialChange>[] = [];
    for (const { name, mechanism: number } of request.deletions) {
      const mechanism = mechanismOf(number);
      const wrong = twice(named, name, number) ?? deletionFault(keeper, name, mechanism);
      if (wrong !== undefined) refusals.set(name, wrong);
      else
        changes.push(Promise.resolve({ username: name, mechanism: mechanism!, credential: null }));
    }
    for (const upsertion of request.upsertions) {
      const mechanism = mechanismOf(upsertion.mechanism);
      const wrong = twice(named, upsertion.name, upsertion.mechanism) ?? upsertionFault(upsertion);
      if (wrong !== undefined) refusals.set(upsertion.name, wrong);
      else changes.push(changeOf(upsertion, mechanism!));
    }
    const users = [...request.deletions, ...request.upsertions].map(({ name }) => name);
    const made = (await Promise.all(changes)).filter(({ username }) => !refusals.has(username));
    let failure: Refusal | undefined;
    try {
      if (made.length > 0) await keeper.alter(made);
    } catch (error) {
      const { errorCode, errorMessage } = itemError(error, context, "AlterUserScramCredentials");
      failure = { errorCode, errorMessage: errorMessage ?? "" };
    }
    const results = [...new Set(users)].map((user) => ({
      user,
      ...(refusals.get(user) ?? failure ?? { errorCode: errorCodes.NONE, errorMessage: null }),
    }));
    return { results };
  };
}

function twice(named: Set<string>, name: string, mechanism: number): Refusal | undefined {
  const key = `${mechanism} ${name}`;
  if (!named.has(key)) {
    named.add(key);
    return undefined;
  }
  const errorMessage = "A user credential cannot be altered twice in the same request";
  return { errorCode: errorCodes.DUPLICATE_RESOURCE, errorMessage };
}

function deletionFault(
  keeper: CredentialKeeper,
  name: string,
  mechanism: ScramMechanism | undefined,
): Refusal | undefined {
  if (mechanism === undefined) return unknownMechanism;
  if (keeper.isKept(name, mechanism)) return undefined;
  const errorMessage = "Attempt to delete a user credential that does not exist";
  return { errorCode: errorCodes.RESOURCE_NOT_FOUND, errorMessage };
}

function upsertionFault(upsertion: Upsertion): Refusal | undefined {
  const mechanism = mechanismOf(upsertion.mechanism);
  if (mechanism === undefined) return unknownMechanism;
  const { name, iterations, salt, saltedPassword } = upsertion;
  if (name === "") return unacceptable("Username must not be empty");
  if (name.length > nameCharactersMax) return unacceptable("The username is too long");
  if (iterations < iterationsMin) return unacceptable("Too few iterations");
  if (iterations > iterationsMax) return unacceptable("Too many iterations");
  if (salt.length === 0 || salt.length > saltBytesMax)
    return unacceptable("The salt has a wrong length");
  if (saltedPassword.length === saltedBytes[mechanism]) return undefined;
  return unacceptable("The salted password has a wrong length");
}

/** Reads the frame's bytes before the first wait. */
function changeOf(upsertion: Upsertion, mechanism: ScramMechanism): Promise<CredentialChange> {
  const { name: username, iterations } = upsertion;
  const salt = new Uint8Array(upsertion.salt);
  const salted = new Uint8Array(upsertion.saltedPassword);
  return credentialOf(mechanism, { salt, salted, iterations }).then((credential) => ({
    ...{ username, mechanism, credential },
  }));
}

function mechanismOf(number: number): ScramMechanism | undefined {
  if (number === mechanismNumbers["SCRAM-SHA-256"]) return "SCRAM-SHA-256";
  return number === mechanismNumbers["SCRAM-SHA-512"] ? "SCRAM-SHA-512" : undefined;
}

const unknownMechanism: Refusal = {
  errorCode: errorCodes.UNSUPPORTED_SASL_MECHANISM,
  errorMessage: "Unknown SCRAM mechanism",
};

function unacceptable(errorMessage: string): Refusal {
  return { errorCode: errorCodes.UNACCEPTABLE_CREDENTIAL, errorMessage };
}
