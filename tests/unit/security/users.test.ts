// Users and the server's side of SCRAM and PLAIN, with our client's SCRAM and with messages made by hand.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { createPlatform } from "#platform";
import { ScramExchange } from "../../../runtime/client/scram.ts";
import {
  credentialOf,
  credentialText,
  parseCredential,
  saltedPassword,
  utf8,
} from "../../../runtime/security/scram-credential.ts";
import { Users } from "../../../runtime/security/users.ts";

const { random } = createPlatform();

function setUp(configured = new Map([["carol", "c: a=r,ol"]])) {
  const configs = new Map<string, string>();
  const controlPlane = {
    state: () => ({ brokerConfigs: new Map([[null, configs]]) }) as never,
    alterBrokerConfigs: async (
      _broker: number | null,
      changes: ReadonlyMap<string, string | null>,
    ) => {
      for (const [name, value] of changes) {
        if (value === null) configs.delete(name);
        else configs.set(name, value);
      }
    },
  };
  return { users: new Users({ random, controlPlane, configured }), configs };
}

async function outcome(run: () => Promise<string>): Promise<string> {
  return run().catch((error: Error) => error.message);
}

/** What the server makes of a client that proves `password`. */
function scram(users: Users, username: string, password: string, hash: "SHA-256" | "SHA-512") {
  return outcome(async () => {
    const server = users.begin(`SCRAM-${hash}`);
    const client = new ScramExchange({ hash, random, username, password });
    const first = await server.respond(utf8(client.first()));
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    const last = await server.respond(utf8(await client.final(text(first.token))));
    client.verify(text(last.token));
    return `as ${last.username}`;
  });
}

const plain = (users: Users, token: string) =>
  outcome(async () => `as ${(await users.begin("PLAIN").respond(utf8(token))).username}`);

test("begin() lets in who knows the password, by each mechanism", async () => {
  const { users } = setUp();
  assert.is(await scram(users, "carol", "c: a=r,ol", "SHA-256"), "as carol");
  assert.is(await scram(users, "carol", "c: a=r,ol", "SHA-512"), "as carol");
  assert.is(await plain(users, "\0carol\0c: a=r,ol"), "as carol");
  assert.is(await plain(users, "carol\0carol\0c: a=r,ol"), "as carol");
});

test("begin() refuses a wrong password and an unknown name in the same words", async () => {
  const { users } = setUp();
  for (const hash of ["SHA-256", "SHA-512"] as const) {
    const wrong = await scram(users, "carol", "other", hash);
    assert.match(wrong, /invalid credentials with SASL mechanism SCRAM/);
    assert.is(await scram(users, "nobody", "other", hash), wrong);
  }
  assert.match(await plain(users, "\0carol\0other"), /Invalid username or password/);
  assert.match(await plain(users, "\0nobody\0other"), /Invalid username or password/);
  assert.match(await plain(users, "root\0carol\0c: a=r,ol"), /authorization id/);
  assert.match(await plain(users, "carol"), /expected name and password/);
});

test("SCRAM: an unknown name gets the same salt each time, one of its own", async () => {
  const { users } = setUp();
  const saltOf = async (name: string) => {
    const { token } = await users.begin("SCRAM-SHA-256").respond(utf8(`n,,n=${name},r=abc`));
    return /s=([^,]+),i=4096$/.exec(new TextDecoder().decode(token))?.[1];
  };
  assert.is(await saltOf("nobody"), await saltOf("nobody"));
  assert.is.not(await saltOf("nobody"), await saltOf("somebody"));
});

test("SCRAM: bindings, other identities, stale nonces and repeats are refused", async () => {
  const { users } = setUp();
  for (const first of ["p=x,,n=carol,r=a", "n,a=root,n=carol,r=a", "n,,n=ca=rol,r=a", "y", ""]) {
    const said = outcome(async () => {
      await users.begin("SCRAM-SHA-256").respond(utf8(first));
      return "taken";
    });
    assert.match(await said, /invalid credentials/, first);
  }
  const exchange = users.begin("SCRAM-SHA-256");
  await exchange.respond(utf8("n,,n=carol,r=mine"));
  const stale = utf8("c=biws,r=mine,p=AAAA");
  const finish = () => outcome(async () => `${(await exchange.respond(stale)).username}`);
  assert.match(await finish(), /invalid credentials/);
  assert.match(await finish(), /invalid credentials/);
});

test("alter() keeps proofs in the metadata, by which users come in and are seen, and takes them away", async () => {
  const { users, configs } = setUp();
  const salt = utf8("some salt");
  const salted = await saltedPassword("SHA-512", { password: "dave's", salt, iterations: 8_192 });
  const credential = await credentialOf("SCRAM-SHA-512", { salt, salted, iterations: 8_192 });
  const own = { username: "dave.x", mechanism: "SCRAM-SHA-512" } as const;
  await users.alter([{ ...own, credential }]);
  assert.equal([...configs.keys()], ["timberline.user.scram-sha-512.dave.x"]);
  assert.equal(parseCredential(credentialText(credential)), credential);
  assert.equal(
    [...users.describe()],
    [["dave.x", [{ mechanism: "SCRAM-SHA-512", iterations: 8_192 }]]],
  );
  assert.is(await scram(users, "dave.x", "dave's", "SHA-512"), "as dave.x");
  assert.is(await plain(users, "\0dave.x\0dave's"), "as dave.x");
  assert.match(await scram(users, "dave.x", "dave's", "SHA-256"), /invalid credentials/);
  await users.alter([{ ...own, credential: null }]);
  assert.match(await scram(users, "dave.x", "dave's", "SHA-512"), /invalid credentials/);
});

test.run();
