// Kafka's 16-byte ids as 22 characters of URL-safe base64 without padding, the form of `TopicId`. Topic ids
// are in every Fetch and Produce of new clients, so both ways are tables and no allocation but the string.

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const charCodes = Uint8Array.from(alphabet, (character) => character.charCodeAt(0));
const values = new Int8Array(128).fill(-1);
for (let i = 0; i < alphabet.length; i++) values[alphabet.charCodeAt(i)] = i;

export const uuidBytes = 16;
const uuidCharacters = 22;
export const zeroUuid = "AAAAAAAAAAAAAAAAAAAAAA";

/** `at + 16` must not be beyond the end of `bytes`. */
export function uuidText(bytes: Uint8Array, at: number): string {
  const end = at + 15;
  let text = "";
  let i = at;
  for (; i < end; i += 3) {
    const group = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!;
    text += String.fromCharCode(
      charCodes[group >>> 18]!,
      charCodes[(group >>> 12) & 63]!,
      charCodes[(group >>> 6) & 63]!,
      charCodes[group & 63]!,
    );
  }
  const last = bytes[i]!;
  return text + String.fromCharCode(charCodes[last >>> 2]!, charCodes[(last & 3) << 4]!);
}

/** Throws a TypeError for text that is not such an id: ids come from us or were decoded by `uuidText`. */
export function writeUuid(text: string, into: Uint8Array, at: number): void {
  if (!isUuid(text)) throw new TypeError(`not a 22-character base64 uuid: "${text}"`);
  for (let i = 0, to = at; i < 20; i += 4, to += 3) {
    const group =
      (value(text, i) << 18) |
      (value(text, i + 1) << 12) |
      (value(text, i + 2) << 6) |
      value(text, i + 3);
    into[to] = group >>> 16;
    into[to + 1] = group >>> 8;
    into[to + 2] = group;
  }
  into[at + 15] = (value(text, 20) << 2) | (value(text, 21) >>> 4);
}

/** 22 characters of the alphabet, and the four bits beyond the 16th byte are zero. */
export function isUuid(text: string): boolean {
  if (text.length !== uuidCharacters) return false;
  for (let i = 0; i < uuidCharacters; i++) if (value(text, i) < 0) return false;
  return (value(text, 21) & 15) === 0;
}

function value(text: string, i: number): number {
  return values[text.charCodeAt(i)] ?? -1;
}
