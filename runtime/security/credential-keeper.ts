// What the Kafka door asks of the users that the metadata keeps. `users.ts` answers.

import type { ScramCredential, ScramMechanism } from "./scram-credential.ts";

export interface CredentialKeeper {
  /** Mechanisms and iterations of each user, by name. */
  describe(): ReadonlyMap<string, readonly { mechanism: ScramMechanism; iterations: number }[]>;
  isKept(username: string, mechanism: ScramMechanism): boolean;
  alter(changes: readonly CredentialChange[]): Promise<void>;
}

/** A user's credential; null takes it away. */
export interface CredentialChange {
  readonly username: string;
  readonly mechanism: ScramMechanism;
  readonly credential: ScramCredential | null;
}
