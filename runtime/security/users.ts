// Who may come in: users of the metadata, which all brokers of a cluster share, and those of the configuration. Keeps
// salted proofs only; deriving them from a password is slow on purpose, so only a few run at once.

import type { ControlPlane } from "../../cluster/control-plane.ts";
import { BrokerError } from "../errors.ts";
import type { Random } from "../platform.ts";
import type { CredentialChange, CredentialKeeper } from "./credential-keeper.ts";
import { PlainServerExchange } from "./plain-exchange.ts";
import type { SaslExchange, SaslMechanism } from "./sasl.ts";
import {
  credentialOf,
  credentialText,
  hashOf,
  isSame,
  iterationsMin,
  parseCredential,
  type ScramCredential,
  type ScramMechanism,
  saltBytes,
  saltedPassword,
  scramMechanisms,
} from "./scram-credential.ts";
import { ScramServerExchange } from "./scram-exchange.ts";
import { credentialName, credentialPrefix, usernameOf } from "./user-names.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Passwords being derived at once, and those that wait for it; more are refused. */
const derivingMax = 4;
const waitingMax = 1_000;
const secretBytes = 32;
/** Users of the metadata, each with up to two credentials. */
const credentialsMax = 2_000;

export interface UsersParts {
  readonly random: Random;
  readonly controlPlane: Pick<ControlPlane, "state" | "alterBrokerConfigs">;
  /** Name and password of those of the configuration. */
  readonly configured: ReadonlyMap<string, string>;
}

export class Users implements CredentialKeeper {
  readonly #parts: UsersParts;
  readonly #secret: Bytes;
  /** Derived when they are first asked for. */
  readonly #configured = new Map<string, Promise<ScramCredential>>();
  #deriving = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(parts: UsersParts) {
    this.#parts = parts;
    this.#secret = new Uint8Array(parts.random.bytes(secretBytes));
  }

  begin(mechanism: SaslMechanism): SaslExchange {
    if (mechanism === "PLAIN") return new PlainServerExchange((...given) => this.#check(...given));
    const { random } = this.#parts;
    const find = (username: string) => this.find(username, mechanism);
    return new ScramServerExchange({ mechanism, random, find, secret: this.#secret });
  }

  /** The configuration's password counts before what the metadata has. */
  async find(username: string, mechanism: ScramMechanism): Promise<ScramCredential | undefined> {
    const password = this.#parts.configured.get(username);
    if (password === undefined) return this.#kept(username, mechanism);
    const name = credentialName(mechanism, username);
    let derived = this.#configured.get(name);
    if (derived === undefined) {
      derived = this.#make(mechanism, password);
      this.#configured.set(name, derived);
    }
    return derived;
  }

  /** Mechanisms and iterations of each user in the metadata, by name. */
  describe(): ReadonlyMap<string, readonly { mechanism: ScramMechanism; iterations: number }[]> {
    const users = new Map<string, { mechanism: ScramMechanism; iterations: number }[]>();
    for (const mechanism of scramMechanisms) {
      for (const name of this.#metadata().keys()) {
        const username = usernameOf(mechanism, name);
        if (username === undefined) continue;
        const found = users.get(username) ?? [];
        const iterations = this.#kept(username, mechanism)?.iterations ?? iterationsMin;
        users.set(username, [...found, { mechanism, iterations }]);
      }
    }
    return users;
  }

  isKept(username: string, mechanism: ScramMechanism): boolean {
    return this.#metadata().has(credentialName(mechanism, username));
  }

  /** Rejects with what the control plane refuses, or POLICY_VIOLATION when there are too many. */
  async alter(changes: readonly CredentialChange[]): Promise<void> {
    const count = [...this.#metadata().keys()].filter((name) => name.startsWith(credentialPrefix));
    const added = changes.filter(({ credential }) => credential !== null);
    if (count.length + added.length > credentialsMax) {
      throw new BrokerError("POLICY_VIOLATION", `more than ${credentialsMax} credentials`);
    }
    const texts = changes.map(
      ({ username, mechanism, credential }) =>
        [credentialName(mechanism, username), credential && credentialText(credential)] as const,
    );
    await this.#parts.controlPlane.alterBrokerConfigs(null, new Map(texts));
  }

  async #check(username: string, password: string): Promise<boolean> {
    const found = await this.#anyOf(username);
    const salt: Bytes = found?.credential.salt ?? this.#secret.slice(0, saltBytes);
    const iterations = found?.credential.iterations ?? iterationsMin;
    const mechanism = found?.mechanism ?? "SCRAM-SHA-256";
    const given = await this.#derived(mechanism, { password, salt, iterations });
    return isSame(given.storedKey, found?.credential.storedKey ?? this.#secret) && !!found;
  }

  async #anyOf(username: string) {
    for (const mechanism of scramMechanisms) {
      const credential = await this.find(username, mechanism);
      if (credential !== undefined) return { mechanism, credential };
    }
    return undefined;
  }

  #kept(username: string, mechanism: ScramMechanism): ScramCredential | undefined {
    const text = this.#metadata().get(credentialName(mechanism, username));
    return text === undefined ? undefined : parseCredential(text);
  }

  #metadata(): ReadonlyMap<string, string> {
    return this.#parts.controlPlane.state().brokerConfigs.get(null) ?? new Map();
  }

  #make(mechanism: ScramMechanism, password: string): Promise<ScramCredential> {
    const salt = new Uint8Array(this.#parts.random.bytes(saltBytes));
    return this.#derived(mechanism, { password, salt, iterations: iterationsMin });
  }

  async #derived(
    mechanism: ScramMechanism,
    given: { readonly password: string; readonly salt: Bytes; readonly iterations: number },
  ): Promise<ScramCredential> {
    await this.#turn();
    try {
      const salted = await saltedPassword(hashOf(mechanism), given);
      return await credentialOf(mechanism, { ...given, salted });
    } finally {
      this.#deriving--;
      this.#waiting.shift()?.();
    }
  }

  async #turn(): Promise<void> {
    if (this.#deriving >= derivingMax) {
      if (this.#waiting.length >= waitingMax) {
        throw new BrokerError("THROTTLING_QUOTA_EXCEEDED", "too many clients authenticate at once");
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#deriving++;
  }
}
