// The metadata log over a connection: what a parent that keeps the log and the brokers it started say to each other.
// One JSON object a line; entries as base64. Used by `log-server.ts` and `log-client.ts` only; both ends are of one
// version, so nothing of it is kept anywhere.

import type { Sequence } from "./metadata-log.ts";

/** A connection that carries lines. `received` and `closed` are set before the first line can come. */
export interface Wire {
  send(line: string): void;
  open(handlers: { received(line: string): void; closed(): void }): void;
  close(): void;
}

export type ToServer =
  | { readonly say: "follow"; readonly follow: number; readonly from: Sequence }
  | { readonly say: "unfollow"; readonly follow: number }
  | {
      readonly say: "append";
      readonly ask: number;
      readonly expected: Sequence;
      readonly id: string;
      readonly bytes: string;
    }
  | { readonly say: "trim"; readonly ask: number; readonly before: Sequence }
  | { readonly say: "signal"; readonly bytes: string };

export type ToClient =
  | {
      readonly say: "entry";
      readonly follow: number;
      readonly sequence: Sequence;
      readonly bytes: string;
    }
  | { readonly say: "caught-up"; readonly follow: number; readonly last: Sequence }
  | { readonly say: "reset"; readonly follow: number }
  | { readonly say: "done"; readonly ask: number; readonly sequence: Sequence }
  | { readonly say: "conflict"; readonly ask: number; readonly message: string }
  | { readonly say: "unavailable"; readonly ask: number; readonly message: string }
  | { readonly say: "signal"; readonly bytes: string };

/** Bytes become characters in pieces: a call takes only so many arguments. */
const pieceBytes = 8_192;

export function textOf(bytes: Uint8Array): string {
  let characters = "";
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    characters += String.fromCharCode(...bytes.subarray(at, at + pieceBytes));
  }
  return btoa(characters);
}

export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
