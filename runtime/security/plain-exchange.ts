// The server's side of SASL PLAIN, RFC 4616: name and password in one token, checked against the same salted proofs as
// SCRAM's, so that no password is kept.

import { type SaslExchange, SaslRefusal, type SaslStep } from "./sasl.ts";

const tokenBytesMax = 4_096;

/** Whether the password is that of the name; takes as long where there is no such name. */
export type CheckPassword = (username: string, password: string) => Promise<boolean>;

export class PlainServerExchange implements SaslExchange {
  readonly #check: CheckPassword;
  #isOver = false;

  constructor(check: CheckPassword) {
    this.#check = check;
  }

  async respond(token: Uint8Array<ArrayBuffer>): Promise<SaslStep> {
    const parts = new TextDecoder().decode(token).split("\0");
    const [other = "", username = "", password = ""] = parts;
    const isWhole = parts.length === 3 && username !== "" && password !== "";
    if (this.#isOver || token.length > tokenBytesMax || !isWhole) {
      throw new SaslRefusal("Invalid SASL/PLAIN response: expected name and password");
    }
    this.#isOver = true;
    if (other !== "" && other !== username) {
      throw new SaslRefusal(
        "Authentication failed: Client requested an authorization id that is different from username",
      );
    }
    if (await this.#check(username, password)) return { token: new Uint8Array(0), username };
    throw new SaslRefusal("Authentication failed: Invalid username or password");
  }
}
