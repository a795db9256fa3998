// SCRAM, by the example of its RFC.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { ScramExchange } from "../../../runtime/client/scram.ts";

/** The example of RFC 7677, section 3. */
const nonce = "rOprNGfwEbeRWgbNEkqO";
const serverFirst =
  "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const serverFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

function exchange(username = "user"): ScramExchange {
  const bytes = () => Uint8Array.from(atob(nonce), (each) => each.charCodeAt(0));
  const random = { integer: () => 0, bytes };
  return new ScramExchange({ hash: "SHA-256", username, password: "pencil", random });
}

test("ScramExchange says what RFC 7677 says", async () => {
  const scram = exchange();
  assert.is(scram.first(), `n,,n=user,r=${nonce}`);
  assert.is(
    await scram.final(serverFirst),
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0," +
      "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
  );
  scram.verify(serverFinal);
});

test("ScramExchange escapes what separates attributes", () => {
  assert.is(exchange("a=b,c").first(), `n,,n=a=3Db=2Cc,r=${nonce}`);
});

test("ScramExchange refuses a broker that does not know the password", async () => {
  const scram = exchange();
  await scram.final(serverFirst);
  assert.throws(() => scram.verify(serverFinal.replace("6rri", "AAAA")), /know the password/);
  assert.throws(() => scram.verify("e=invalid-proof"), /invalid-proof/);
  assert.throws(() => exchange().verify("v="), /know the password/);
});

test("ScramExchange refuses another's nonce, and too few or too many iterations", async () => {
  const refused = async (answer: string) =>
    exchange()
      .final(answer)
      .then(
        () => "",
        (error: Error) => error.message,
      );
  assert.match(await refused(serverFirst.replace("r=rOpr", "r=xOpr")), /nonce/);
  assert.match(await refused(`r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`), /nonce/);
  assert.match(await refused(serverFirst.replace("i=4096", "i=4095")), /iterations/);
  assert.match(await refused(serverFirst.replace("i=4096", "i=99999999")), /iterations/);
});

test.run();
