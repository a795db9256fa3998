// Text to UTF-8 for many short strings: bytes come from shared blocks, which is several times cheaper than an
// array of its own for each. The results are views: read them, never transfer them.

const blockBytes = 64 * 1024;
/** Longer texts get an array of their own, so that a view never keeps much that is not its own. */
const sharedUnitsMax = 4096;
/** Below this a loop beats the call into the runtime. */
const loopUnitsMax = 24;

const encoder = new TextEncoder();
let block = new Uint8Array(blockBytes);
let at = 0;

export function encodeUtf8(text: string): Uint8Array {
  if (text.length > sharedUnitsMax) return encoder.encode(text);
  // A UTF-16 unit takes at most 3 bytes.
  if (at + text.length * 3 > block.length) {
    block = new Uint8Array(blockBytes);
    at = 0;
  }
  const start = at;
  if (text.length > loopUnitsMax || !writeAscii(text)) {
    at = start + encoder.encodeInto(text, block.subarray(start)).written;
  }
  return block.subarray(start, at);
}

/** False if the text is not all ASCII; then nothing counts as written. */
function writeAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return false;
    block[at + i] = code;
  }
  at += text.length;
  return true;
}
