// SCRAM: proves to a broker that we know a password without telling it, and that the broker knows it too. RFC 5802
// with SHA-256 (RFC 7677) or SHA-512, on WebCrypto. Like Kafka, it takes names and passwords as UTF-8, unprepared.

import type { Random } from "../platform.ts";

export type ScramHash = "SHA-256" | "SHA-512";

/** RFC 7677 asks for no less; a broker that asks for more than the other only wants our time. */
const iterationsMin = 4096;
const iterationsMax = 1_000_000;
const nonceBytes = 24;
/** "n,,": no channel binding, no other identity; and the same in base64. */
const header = "n,,";
const headerBase64 = "biws";

export interface ScramOptions {
  readonly hash: ScramHash;
  readonly username: string;
  readonly password: string;
  readonly random: Random;
}

/** One exchange: `first`, then `final` for the answer to it, then `verify` for the answer to that. */
export class ScramExchange {
  readonly #options: ScramOptions;
  readonly #nonce: string;
  #serverSignature = "";

  constructor(options: ScramOptions) {
    this.#options = options;
    this.#nonce = base64(options.random.bytes(nonceBytes));
  }

  first(): string {
    return header + this.#bare();
  }

  /** Throws an Error that says what the broker did wrong. */
  async final(serverFirst: string): Promise<string> {
    const { hash, password } = this.#options;
    const { r: nonce = "", s: salt = "", i: count = "" } = attributes(serverFirst);
    const iterations = Number(count);
    if (!nonce.startsWith(this.#nonce) || nonce === this.#nonce) {
      throw new Error("the broker's nonce does not go on from ours");
    }
    if (!(iterations >= iterationsMin && iterations <= iterationsMax)) {
      throw new Error(`${count} iterations are not within ${iterationsMin} to ${iterationsMax}`);
    }
    const salted = await saltedPassword(hash, { password, salt: fromBase64(salt), iterations });
    const clientKey = await hmac(hash, salted, "Client Key");
    const storedKey = new Uint8Array(await crypto.subtle.digest(hash, clientKey));
    const withoutProof = `c=${headerBase64},r=${nonce}`;
    const message = `${this.#bare()},${serverFirst},${withoutProof}`;
    const signature = await hmac(hash, storedKey, message);
    const proof = clientKey.map((byte, i) => byte ^ signature[i]!);
    const serverKey = await hmac(hash, salted, "Server Key");
    this.#serverSignature = base64(await hmac(hash, serverKey, message));
    return `${withoutProof},p=${base64(proof)}`;
  }

  /** Throws unless the broker knows the password as well. */
  verify(serverFinal: string): void {
    const { v: signature, e: refusal } = attributes(serverFinal);
    if (refusal !== undefined) throw new Error(`the broker says: ${refusal}`);
    if (signature !== this.#serverSignature || signature === "") {
      throw new Error("the broker does not know the password: is it the right one?");
    }
  }

  #bare(): string {
    const name = this.#options.username.replaceAll("=", "=3D").replaceAll(",", "=2C");
    return `n=${name},r=${this.#nonce}`;
  }
}

function attributes(message: string): Readonly<Record<string, string>> {
  return Object.fromEntries(message.split(",").map((each) => [each.slice(0, 1), each.slice(2)]));
}

async function saltedPassword(
  hash: ScramHash,
  given: { password: string; salt: Uint8Array<ArrayBuffer>; iterations: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const { salt, iterations } = given;
  const secret = new TextEncoder().encode(given.password);
  const key = await crypto.subtle.importKey("raw", secret, "PBKDF2", false, ["deriveBits"]);
  const bits = hash === "SHA-256" ? 256 : 512;
  const how = { name: "PBKDF2", hash, salt, iterations };
  return new Uint8Array(await crypto.subtle.deriveBits(how, key, bits));
}

async function hmac(
  hash: ScramHash,
  secret: Uint8Array<ArrayBuffer>,
  text: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const how = { name: "HMAC", hash };
  const key = await crypto.subtle.importKey("raw", secret, how, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(text)));
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
