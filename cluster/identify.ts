// Who answers at a broker's address: its identity, or that nobody could be reached there.

import { type PeerAddress, type Peers, PeerUnreachable } from "./peer.ts";
import type { Identity, Question } from "./questions.ts";

/** A living process answers at once. */
export async function identify(
  peers: Peers,
  broker: PeerAddress,
  timeoutMs: number,
): Promise<Identity | PeerUnreachable> {
  const question: Question = { ask: "identify" };
  try {
    return (await peers.ask(broker, question, { timeoutMs })) as Identity;
  } catch (error) {
    if (error instanceof PeerUnreachable) return error;
    throw error;
  }
}
