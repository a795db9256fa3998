// What members ask each other, broker to broker: JSON values, checked before they are believed. Changes are asked of
// the controller; heartbeats too; `identify` is asked of whoever answers at an address. About a broker's copy of the
// metadata an administrator's program asks as well.

import { ControlPlaneError, type ControlPlaneFault } from "./control-plane.ts";
import type { Decided } from "./controller.ts";
import type { Asker, ChangeRequest } from "./requests.ts";

export type Question =
  | { readonly ask: "identify" }
  | ({ readonly ask: "heartbeat" } & Heartbeat)
  | { readonly ask: "change"; readonly asker: Asker; readonly request: ChangeRequest }
  /** What this broker knows, in short and in full; and to bring that back which the snapshot holds. */
  | { readonly ask: "copy" }
  | { readonly ask: "snapshot" }
  | { readonly ask: "restore"; readonly snapshot: string };

export interface Heartbeat {
  readonly id: number;
  /** -1: not registered yet; it only wants to know whether the controller lives. */
  readonly epoch: number;
  readonly incarnation: string;
  /** How much of the metadata it has applied. */
  readonly version: number;
  /** Its logs are open: it may lead. */
  readonly isReady: boolean;
}

export interface Identity {
  readonly id: number;
  readonly clusterId: string;
  readonly incarnation: string;
  readonly version: number;
  readonly isBehind: boolean;
}

export interface HeartbeatAnswer {
  /** Whether the one asked is the controller. */
  readonly isController: boolean;
  readonly controllerEpoch: number;
  /** Whether it reaches the metadata service: one that does not cannot help. */
  readonly isConnected: boolean;
  /** The asker's broker epoch is not the registered one. */
  readonly isStale: boolean;
  /** How much of the metadata it knows, and whether the metadata service holds less than that. */
  readonly version: number;
  readonly isBehind: boolean;
}

/** A broker's copy of the metadata, in short. */
export interface CopyAnswer {
  readonly brokerId: number;
  readonly clusterId: string;
  readonly controllerEpoch: number;
  readonly version: number;
  /** The metadata service holds less than this broker knows, or something else. */
  readonly isBehind: boolean;
  readonly isConnected: boolean;
  readonly alarm: string | null;
  readonly topics: number;
  readonly partitions: number;
}

/** What became of a change. */
export type ChangeAnswer =
  | ({ readonly done: true } & Decided<unknown>)
  | { readonly done: false; readonly fault: ControlPlaneFault; readonly message: string };

/** Lists in a question; requests of admin clients are shorter. */
const LIST_LENGTH_MAX = 100_000;

/** Throws ControlPlaneError broker-refused for what is no question of a Timberline of this version. */
export function checkedQuestion(value: unknown): Question {
  const question = objectOf(value, "a question");
  switch (question.ask) {
    case "identify":
    case "copy":
    case "snapshot":
      return { ask: question.ask };
    case "restore":
      return { ask: "restore", snapshot: textOf(question.snapshot) };
    case "heartbeat":
      return {
        ask: "heartbeat",
        id: integerOf(question.id),
        epoch: integerOf(question.epoch),
        version: integerOf(question.version),
        incarnation: textOf(question.incarnation),
        isReady: question.isReady === true,
      };
    case "change": {
      const asker = objectOf(question.asker, "an asker");
      return {
        ask: "change",
        asker: {
          id: integerOf(asker.id),
          epoch: integerOf(asker.epoch),
          isRepeat: asker.isRepeat === true,
        },
        request: checkedRequest(question.request),
      };
    }
    default:
      throw notUnderstood(`question ${JSON.stringify(question.ask)}`);
  }
}

/** A decision reads only the fields below; what else a newer version says is not looked at. */
const requestChecks: {
  readonly [name in ChangeRequest["do"]]: (request: Fields) => void;
} = {
  register: ({ broker }) => {
    const fields = objectOf(broker, "a broker");
    integerOf(fields.id);
    textOf(fields.host);
    integerOf(fields.port);
    textOf(fields.incarnation);
    for (const name of ["epochMin", "cleanEpoch"]) optional(fields[name], integerOf);
    optional(fields.directory, textOf);
    if (fields.rack !== null) textOf(fields.rack);
  },
  "create-topic": ({ name, id, leaderEpoch, layout, configs }) => {
    textOf(name);
    textOf(id);
    optional(leaderEpoch, integerOf);
    const fields = objectOf(layout, "a layout");
    optional(fields.assignments, idListsOf);
    optional(fields.partitions, numberOf);
    optional(fields.replicationFactor, numberOf);
    if (fields.assignments === undefined) numberOf(fields.partitions);
    pairsOf(configs);
  },
  "delete-topic": ({ name, id }) => {
    textOf(name);
    if (id !== null) textOf(id);
  },
  "create-partitions": ({ name, partitions, assignments }) => {
    textOf(name);
    numberOf(partitions);
    optional(assignments, idListsOf);
  },
  "alter-topic-configs": ({ name, changes }) => {
    textOf(name);
    pairsOf(changes);
  },
  "alter-broker-configs": ({ broker, changes }) => {
    if (broker !== null) integerOf(broker);
    pairsOf(changes);
  },
  "alter-group-configs": ({ groupId, changes }) => {
    textOf(groupId);
    pairsOf(changes);
  },
  "allocate-producer-ids": ({ count }) => {
    if (integerOf(count) < 1) throw notUnderstood("a count below 1");
  },
  "alter-isr": ({ changes }) => {
    for (const change of listOf(changes)) checkIsrChange(objectOf(change, "an ISR change"));
  },
  "elect-leaders": ({ kind, partitions }) => {
    if (kind !== "preferred" && kind !== "unclean") throw notUnderstood("an election");
    if (partitions !== null) for (const place of listOf(partitions)) checkPlace(place);
  },
  reassign: ({ requests }) => {
    for (const request of listOf(requests)) {
      const { replicas } = checkPlace(request);
      if (replicas !== null) idsOf(replicas);
    }
  },
  drain: () => undefined,
  unregister: ({ id }) => {
    integerOf(id);
  },
};

type Fields = Readonly<Record<string, unknown>>;

function checkedRequest(value: unknown): ChangeRequest {
  const request = objectOf(value, "a request");
  const name = String(request.do) as ChangeRequest["do"];
  if (!Object.hasOwn(requestChecks, name)) throw notUnderstood(`request ${JSON.stringify(name)}`);
  requestChecks[name](request);
  return request as unknown as ChangeRequest;
}

function checkIsrChange(change: Fields): void {
  textOf(change.topicId);
  for (const name of ["partition", "leaderEpoch", "partitionEpoch"]) integerOf(change[name]);
  for (const member of listOf(change.isr)) {
    const fields = objectOf(member, "an ISR member");
    integerOf(fields.id);
    integerOf(fields.epoch);
  }
}

function checkPlace(value: unknown): Fields {
  const place = objectOf(value, "a partition");
  textOf(place.topic);
  integerOf(place.partition);
  return place;
}

function objectOf(value: unknown, what: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw notUnderstood(`${what} that is no object`);
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value) && value.length <= LIST_LENGTH_MAX) return value;
  throw notUnderstood("a list that is none or too long");
}

function idsOf(value: unknown): void {
  for (const id of listOf(value)) integerOf(id);
}

function idListsOf(value: unknown): void {
  for (const list of listOf(value)) idsOf(list);
}

function pairsOf(value: unknown): void {
  for (const pair of listOf(value)) {
    const [name, text] = listOf(pair);
    textOf(name);
    if (text !== null) textOf(text);
  }
}

function optional(value: unknown, check: (value: unknown) => unknown): void {
  if (value !== undefined) check(value);
}

function integerOf(value: unknown): number {
  if (Number.isSafeInteger(value)) return value as number;
  throw notUnderstood("a number that is no integer");
}

/** Also one that is no integer: the decision refuses it by name. */
function numberOf(value: unknown): number {
  if (typeof value === "number") return value;
  throw notUnderstood("a number that is none");
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  throw notUnderstood("a text that is none");
}

function notUnderstood(what: string): ControlPlaneError {
  return new ControlPlaneError(
    "broker-refused",
    `This broker does not understand ${what}: run the same version of Timberline on all brokers.`,
  );
}
