// What a server keeps of a password: RFC 5802's salted proofs, from which the password cannot be had. The text form is
// the one Kafka keeps in its metadata. Persisted: never change it.

export type ScramMechanism = "SCRAM-SHA-256" | "SCRAM-SHA-512";
export type ScramHash = "SHA-256" | "SHA-512";
type Bytes = Uint8Array<ArrayBuffer>;

export const scramMechanisms: readonly ScramMechanism[] = ["SCRAM-SHA-256", "SCRAM-SHA-512"];
/** RFC 7677 asks for no fewer; more than the other only lets strangers burn the server's time. */
export const iterationsMin = 4_096;
export const iterationsMax = 16_384;
export const saltBytes = 20;

export interface ScramCredential {
  readonly salt: Bytes;
  readonly storedKey: Bytes;
  readonly serverKey: Bytes;
  readonly iterations: number;
}

export function hashOf(mechanism: ScramMechanism): ScramHash {
  return mechanism === "SCRAM-SHA-256" ? "SHA-256" : "SHA-512";
}

/** From PBKDF2's result, which AlterUserScramCredentials brings. */
export async function credentialOf(
  mechanism: ScramMechanism,
  from: { readonly salt: Bytes; readonly salted: Bytes; readonly iterations: number },
): Promise<ScramCredential> {
  const { salt, salted, iterations } = from;
  const hash = hashOf(mechanism);
  const clientKey = await hmac(hash, salted, utf8("Client Key"));
  const storedKey = await digest(hash, clientKey);
  const serverKey = await hmac(hash, salted, utf8("Server Key"));
  return { salt, storedKey, serverKey, iterations };
}

export function credentialText({
  salt,
  storedKey,
  serverKey,
  iterations,
}: ScramCredential): string {
  const keys = `stored_key=${base64(storedKey)},server_key=${base64(serverKey)}`;
  return `salt=${base64(salt)},${keys},iterations=${iterations}`;
}

/** Undefined for a text that is none. */
export function parseCredential(text: string): ScramCredential | undefined {
  const parts = new Map(
    text.split(",").map((part) => {
      const at = part.indexOf("=");
      return [part.slice(0, at), part.slice(at + 1)] as const;
    }),
  );
  const [salt, storedKey, serverKey] = ["salt", "stored_key", "server_key"].map((name) =>
    fromBase64(parts.get(name) ?? ""),
  );
  const iterations = Number(parts.get("iterations"));
  if (!salt?.length || !storedKey?.length || !serverKey?.length || !(iterations > 0))
    return undefined;
  return { salt, storedKey, serverKey, iterations };
}

/** Names and passwords are taken as UTF-8, unprepared, as Kafka does. */
export async function saltedPassword(
  hash: ScramHash,
  given: { readonly password: string; readonly salt: Bytes; readonly iterations: number },
): Promise<Bytes> {
  const { password, salt, iterations } = given;
  const key = await crypto.subtle.importKey("raw", utf8(password), "PBKDF2", false, ["deriveBits"]);
  const how = { name: "PBKDF2", hash, salt, iterations };
  return new Uint8Array(await crypto.subtle.deriveBits(how, key, hash === "SHA-256" ? 256 : 512));
}

export async function hmac(hash: ScramHash, secret: Bytes, message: Bytes): Promise<Bytes> {
  const how = { name: "HMAC", hash };
  const key = await crypto.subtle.importKey("raw", secret, how, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, message));
}

export async function digest(hash: ScramHash, bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest(hash, bytes));
}

/** Takes as long for bytes that differ at once as for those that differ at the end. */
export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  let difference = one.length ^ other.length;
  for (let i = 0; i < one.length; i++) difference |= one[i]! ^ (other[i] ?? 0);
  return difference === 0;
}

export function utf8(text: string): Bytes {
  return new TextEncoder().encode(text);
}

export function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** Undefined for a text that is no base64. */
export function fromBase64(text: string): Bytes | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
