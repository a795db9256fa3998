// Peer: how one member of a cluster asks another, broker to broker over TCP, without the metadata service. The
// runtime brings the connection, the simulator its own; questions and answers are JSON values defined in `questions.ts`.

/** The peer cannot be reached, hung up, or took too long: nobody knows whether it did what it was asked. */
export class PeerUnreachable extends Error {
  /** Its port refused the connection: no process listens there. */
  readonly isGone: boolean;
  constructor(message: string, options: { isGone: boolean; cause?: unknown }) {
    super(message, options);
    this.name = "PeerUnreachable";
    this.isGone = options.isGone;
  }
}

export interface PeerAddress {
  readonly id: number;
  readonly host: string;
  readonly port: number;
}

export interface Peers {
  /** Rejects with PeerUnreachable. Questions to one peer are answered in the order asked. */
  ask(peer: PeerAddress, question: unknown, options: { timeoutMs: number }): Promise<unknown>;
  /** Runs when a connection that peers hold to this broker, or this one to them, broke. */
  onLost(lost: (peerId: number) => void): () => void;
}
