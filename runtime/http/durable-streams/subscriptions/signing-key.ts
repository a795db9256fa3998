// The key that signs webhooks: Ed25519, made once for the cluster and kept beside the subscriptions; receivers find its
// public half as a JWK. Tokens of wakes are random, and only their hashes are kept.

import type { Random } from "../../../platform.ts";
import { encodeBase64 } from "../../base64.ts";
import type { SubscriptionStore } from "./subscription-store.ts";

export interface SigningKey {
  readonly kid: string;
  /** The public half. */
  readonly jwk: { readonly [member: string]: string };
  /** Unpadded base64url. */
  sign(text: string): Promise<string>;
}

const recordKey = "signing-key";
const algorithm = { name: "Ed25519" };
const seedBytes = 32;
const tokenBytes = 24;
const kidLength = 16;
/** Of a PKCS #8 document that holds an Ed25519 seed (RFC 8410). */
const pkcs8Prefix = [48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];

export async function signingKey(store: SubscriptionStore, random: Random): Promise<SigningKey> {
  const text = await store.text(recordKey, async () => base64Url(random.bytes(seedBytes)));
  const seed = fromBase64Url(text);
  const document = new Uint8Array([...pkcs8Prefix, ...seed]);
  const key = await crypto.subtle.importKey("pkcs8", document, algorithm, true, ["sign"]);
  const { x = "" } = await crypto.subtle.exportKey("jwk", key);
  // RFC 7638: the thumbprint of the public key.
  const thumbprint = await sha256(JSON.stringify({ crv: "Ed25519", kty: "OKP", x }));
  const kid = `ds_${thumbprint.slice(0, kidLength)}`;
  return {
    kid,
    jwk: { kty: "OKP", crv: "Ed25519", x, kid, use: "sig", alg: "EdDSA" },
    async sign(signed) {
      const bytes = new TextEncoder().encode(signed);
      return base64Url(new Uint8Array(await crypto.subtle.sign(algorithm, key, bytes)));
    },
  };
}

export function newToken(random: Random): string {
  return base64Url(random.bytes(tokenBytes));
}

/** Unpadded base64url. */
export async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return base64Url(new Uint8Array(digest));
}

function base64Url(bytes: Uint8Array): string {
  return encodeBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function fromBase64Url(text: string): Uint8Array {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
