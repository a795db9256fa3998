// The server's side of SCRAM, RFC 5802 without channel binding: the client proves that it knows the password, and the
// server that it knows the proofs. Nobody learns which names exist: an unknown one gets a salt of its own that stays the
// same, and is refused at the end like a wrong password.

import type { Random } from "../platform.ts";
import { type SaslExchange, SaslRefusal, type SaslStep } from "./sasl.ts";
import {
  base64,
  digest,
  fromBase64,
  hashOf,
  hmac,
  isSame,
  iterationsMin,
  type ScramCredential,
  type ScramMechanism,
  saltBytes,
  utf8,
} from "./scram-credential.ts";

const nonceBytes = 24;
/** Longest message of a client that is read. */
const tokenBytesMax = 4_096;
/** "n,," in base64: no channel binding, no other identity. */
const headerPattern = /^(n,(?:a=([^,]*))?,)(n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)$/s;
const finalPattern = /^(c=([^,]+),r=([^,]+)),p=([^,]+)$/;

export interface ScramParts {
  readonly mechanism: ScramMechanism;
  readonly random: Random;
  readonly find: (username: string) => Promise<ScramCredential | undefined>;
  /** Of this server: makes the salt of names that do not exist. */
  readonly secret: Uint8Array<ArrayBuffer>;
}

interface Asked {
  readonly username: string;
  readonly header: string;
  readonly bare: string;
  /** Our part of the nonce. */
  readonly serverNonce: string;
  readonly serverFirst: string;
  readonly credential: ScramCredential;
  readonly isKnown: boolean;
}

export class ScramServerExchange implements SaslExchange {
  readonly #parts: ScramParts;
  #asked: Asked | undefined;
  #isOver = false;

  constructor(parts: ScramParts) {
    this.#parts = parts;
  }

  async respond(token: Uint8Array<ArrayBuffer>): Promise<SaslStep> {
    if (this.#isOver || token.length > tokenBytesMax) throw this.#refusal();
    const message = new TextDecoder().decode(token);
    const asked = this.#asked;
    if (asked !== undefined) {
      this.#isOver = true;
      return this.#final(asked, message);
    }
    this.#asked = await this.#first(message);
    return { token: utf8(this.#asked.serverFirst) };
  }

  async #first(message: string): Promise<Asked> {
    const found = headerPattern.exec(message);
    if (found === null) throw this.#refusal();
    const [, header = "", other, bare = "", name = "", clientNonce = ""] = found;
    const username = unescaped(name);
    // Another identity than the one that proves itself would be somebody else's rights.
    if (username === undefined || (other !== undefined && unescaped(other) !== username)) {
      throw this.#refusal();
    }
    const known = await this.#parts.find(username);
    const credential = known ?? (await this.#pretended(username));
    const serverNonce = base64(this.#parts.random.bytes(nonceBytes));
    const { salt, iterations } = credential;
    const serverFirst = `r=${clientNonce}${serverNonce},s=${base64(salt)},i=${iterations}`;
    const isKnown = known !== undefined;
    return { username, header, bare, serverNonce, serverFirst, credential, isKnown };
  }

  async #final(asked: Asked, message: string): Promise<SaslStep> {
    const [, withoutProof = "", binding = "", nonce = "", proofText = ""] =
      finalPattern.exec(message) ?? [];
    const proof = fromBase64(proofText);
    // librdkafka before 2.6.1 puts its own part there twice: what makes the exchange fresh is ours, as Kafka sees it.
    const isFresh = nonce.endsWith(asked.serverNonce);
    const isForUs = binding === base64(utf8(asked.header)) && isFresh;
    if (proof === undefined || !isForUs) throw this.#refusal();
    const hash = hashOf(this.#parts.mechanism);
    const { storedKey, serverKey } = asked.credential;
    const signed = utf8(`${asked.bare},${asked.serverFirst},${withoutProof}`);
    const signature = await hmac(hash, storedKey, signed);
    const clientKey = signature.map((byte, i) => byte ^ (proof[i] ?? 0));
    const isProved = isSame(await digest(hash, clientKey), storedKey);
    const answer = await hmac(hash, serverKey, signed);
    if (!isProved || !asked.isKnown || proof.length !== signature.length) throw this.#refusal();
    return { token: utf8(`v=${base64(answer)}`), username: asked.username };
  }

  /** As if the name existed: the same salt each time, and keys that nothing proves. */
  async #pretended(username: string): Promise<ScramCredential> {
    const hash = hashOf(this.#parts.mechanism);
    const salt = (await hmac(hash, this.#parts.secret, utf8(username))).slice(0, saltBytes);
    const key = await digest(hash, salt);
    return { salt, storedKey: key, serverKey: key, iterations: iterationsMin };
  }

  #refusal(): SaslRefusal {
    const { mechanism } = this.#parts;
    return new SaslRefusal(
      `Authentication failed during authentication due to invalid credentials with SASL mechanism ${mechanism}`,
    );
  }
}

/** "=2C" is a comma and "=3D" an equals sign; undefined for any other "=". */
function unescaped(name: string): string | undefined {
  if (/=(?!2C|3D)/.test(name)) return undefined;
  return name.replaceAll("=2C", ",").replaceAll("=3D", "=");
}
