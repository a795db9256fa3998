// Under which names the metadata keeps users' credentials, among the dynamic configs of all brokers. Persisted: never
// change them. No config key begins so, and what alters configs leaves them alone.

import type { ScramMechanism } from "./scram-credential.ts";

export const credentialPrefix = "timberline.user.";

export function credentialName(mechanism: ScramMechanism, username: string): string {
  return `${credentialPrefix}${mechanism.toLowerCase()}.${username}`;
}

/** Undefined for another mechanism's, or none. */
export function usernameOf(mechanism: ScramMechanism, name: string): string | undefined {
  const prefix = credentialName(mechanism, "");
  return name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
}
