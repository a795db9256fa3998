// The plan of a topology: its nodes cut into subtopologies, which are joined by nothing but topics, and the checks
// that need no broker. A task is one subtopology for one partition number. Pure.

import { isTopicName } from "../topic-name.ts";
import { rawKey } from "./codec.ts";
import { StreamsError } from "./error.ts";
import {
  type KeyByNode,
  type Node,
  type SourceNode,
  type StoreSpec,
  storeOf,
  type TableNode,
} from "./graph.ts";
import { closesAt, describeWindow } from "./window.ts";

/** Where a topic comes into a subtopology: a source, a table, or behind a `keyBy`. */
export interface Input {
  readonly topic: string;
  readonly nodes: readonly (SourceNode | TableNode | KeyByNode)[];
  /** Made by this application. */
  readonly isInternal: boolean;
}

export interface Subtopology {
  readonly id: number;
  readonly nodes: readonly Node[];
  readonly inputs: readonly Input[];
  readonly stores: readonly StoreSpec[];
  /** How far event time at a node is behind that of the inputs, because windows before it close later. */
  readonly lagsMs: ReadonlyMap<Node, number>;
}

export interface Plan {
  readonly name: string;
  readonly version: number;
  /** Name of the consumer group, and beginning of the names of internal topics. */
  readonly id: string;
  readonly subtopologies: readonly Subtopology[];
  /** Topics that records are written to, besides internal ones. */
  readonly sinks: readonly string[];
}

export function planOf(name: string, version: number, nodes: readonly Node[]): Plan {
  const id = `${name}-v${version}`;
  if (!Number.isSafeInteger(version) || version < 0) {
    throw invalid(`version ${version} of ${name} is no whole number from 0 up`);
  }
  checkName(id, "the topology");
  checkNames(id, nodes);
  for (const node of nodes) checkNode(id, node);
  const subtopologies = cut(nodes).map((members, index) => subtopology(id, index, members, nodes));
  if (subtopologies.length === 0) throw invalid(`${name} reads no topic: begin with stream()`);
  return { name, version, id, subtopologies, sinks: [...new Set(sinkNames(nodes))] };
}

export function repartitionTopic(planId: string, node: KeyByNode): string {
  return `${planId}-${node.name}-repartition`;
}

export function changelogTopic(planId: string, store: StoreSpec): string {
  return `${planId}-${store.name}-changelog`;
}

/** The plan as text, a line for each node. */
export function describe(plan: Plan): string {
  const lines = [`${plan.name} version ${plan.version}`];
  for (const { id, nodes, inputs } of plan.subtopologies) {
    lines.push(`  subtopology ${id} reads ${inputs.map(({ topic }) => topic).join(", ")}`);
    for (const node of nodes) lines.push(`    ${describeNode(plan.id, node)}`);
  }
  return lines.join("\n");
}

function describeNode(planId: string, node: Node): string {
  const store = storeOf(node);
  const next = node.children.map((child) => `${child.kind} ${child.name}`).join(", ");
  const facts = [
    ...(store === null ? [] : [`store ${changelogTopic(planId, store)}`]),
    ...(store?.window ? [describeWindow(store.window)] : []),
    ...(node.kind === "keyBy" && node.isRepartitioned ? [repartitionTopic(planId, node)] : []),
    ...(node.kind === "aggregate" ? [`emits ${node.emits}`] : []),
    ...(node.kind === "join" ? [`with ${node.table.name}`] : []),
  ];
  const about = facts.length === 0 ? "" : ` (${facts.join("; ")})`;
  return `${node.kind} ${node.name}${about}${next === "" ? "" : ` → ${next}`}`;
}

// ---- cutting ----

/** Nodes that are connected by anything but a repartition topic belong together. */
function cut(nodes: readonly Node[]): Node[][] {
  const roots = new Map<unknown, unknown>();
  const rootOf = (member: unknown): unknown => {
    let root = member;
    for (let next = roots.get(root); next !== undefined; next = roots.get(root)) root = next;
    return root;
  };
  const unite = (a: unknown, b: unknown): void => {
    const [one, other] = [rootOf(a), rootOf(b)];
    if (one !== other) roots.set(other, one);
  };
  const readers = new Map<string, Node>();
  for (const node of nodes) {
    if (node.kind === "source" || node.kind === "table") {
      const { name } = node.topic;
      unite(readers.get(name) ?? node, node);
      readers.set(name, node);
    }
    // Behind a repartition topic its readers are one, in front of it stands the node itself.
    const isCut = node.kind === "keyBy" && node.isRepartitioned;
    for (const child of node.children) unite(isCut ? node.children[0] : node, child);
    if (node.kind === "join") unite(node.table, node);
  }
  const groups = new Map<unknown, Node[]>();
  for (const node of nodes) {
    const root = rootOf(node);
    const group = groups.get(root);
    if (group === undefined) groups.set(root, [node]);
    else group.push(node);
  }
  return [...groups.values()];
}

function subtopology(
  planId: string,
  id: number,
  nodes: readonly Node[],
  all: readonly Node[],
): Subtopology {
  const inputs = new Map<string, Input["nodes"][number][]>();
  const add = (topic: string, node: Input["nodes"][number]): void => {
    const readers = inputs.get(topic);
    if (readers === undefined) inputs.set(topic, [node]);
    else readers.push(node);
  };
  for (const node of nodes) {
    if (node.kind === "source" || node.kind === "table") add(node.topic.name, node);
  }
  const within = new Set(nodes);
  const internal = new Set<string>();
  for (const node of all) {
    if (node.kind !== "keyBy" || !node.isRepartitioned) continue;
    if (!node.children.some((child) => within.has(child))) continue;
    const topic = repartitionTopic(planId, node);
    internal.add(topic);
    add(topic, node);
  }
  return {
    id,
    nodes,
    inputs: Array.from(inputs, ([topic, readers]) => ({
      topic,
      nodes: readers,
      isInternal: internal.has(topic),
    })),
    stores: nodes.flatMap((node) => storeOf(node) ?? []),
    lagsMs: lagsOf(nodes),
  };
}

/** Nodes stand in the order they were made in: parents first. */
function lagsOf(nodes: readonly Node[]): Map<Node, number> {
  const lags = new Map<Node, number>();
  for (const node of nodes) {
    const window = storeOf(node)?.window ?? null;
    // Its result's time is 1 ms before its end.
    const own = window === null ? 0 : closesAt(window, { start: 0, end: 0 }) + 1;
    const lag = (lags.get(node) ?? 0) + own;
    for (const child of node.children) lags.set(child, Math.max(lags.get(child) ?? 0, lag));
  }
  return lags;
}

// ---- checks ----

function checkNames(planId: string, nodes: readonly Node[]): void {
  const names = new Map<string, string>();
  for (const node of nodes) {
    const isNamed = node.kind !== "source" && node.kind !== "step" && node.kind !== "sink";
    if (!isNamed) continue;
    checkName(`${planId}-${node.name}-repartition`, `${node.kind} "${node.name}"`);
    const other = names.get(node.name);
    if (other !== undefined) {
      throw invalid(
        `${other} and ${node.kind} are both named "${node.name}": give one another name`,
      );
    }
    names.set(node.name, node.kind);
  }
}

function checkNode(planId: string, node: Node): void {
  if ("topic" in node) checkName(node.topic.name, `the topic of ${node.kind} "${node.name}"`);
  if (node.kind === "join") checkJoin(node.name, node);
  if (node.kind === "keyBy" && node.isRepartitioned && node.valueCodec === null) {
    const why = `its records go through ${repartitionTopic(planId, node)}`;
    const how = "give the map before it a codec as its last argument";
    throw invalid(`keyBy "${node.name}" does not know how to write values, and ${why}: ${how}`);
  }
  const store = storeOf(node);
  if (store !== null) checkStore(node, store);
}

function checkJoin(name: string, join: Extract<Node, { kind: "join" }>): void {
  const [mine, other] = [join.keyCodec?.id ?? rawKey, join.table.store.key.id];
  if (join.table.store.window !== null) {
    throw invalid(`join "${name}" names a windowed table: it has no single value for a key`);
  }
  if (mine !== other || mine === rawKey) {
    const keys = `keys of the stream are ${mine}, those of table "${join.table.name}" ${other}`;
    throw invalid(`join "${name}": ${keys}: use keyBy with the table's codec`);
  }
}

function checkStore(node: Node, store: StoreSpec): void {
  const what = `${node.kind} "${store.name}"`;
  // Types do not keep them from being null: what a `map` makes has no codec.
  if ((store.value as unknown) === null) {
    throw invalid(`${what} does not know how to write values: give it a codec`);
  }
  if ((store.key as unknown) === null || store.key.id === rawKey) {
    throw invalid(`${what} needs keys: use keyBy before it, or give the topic a key codec`);
  }
  const isSession = store.window?.kind === "session";
  if (isSession && node.kind === "aggregate" && node.merge === null) {
    throw invalid(`${what} has sessions, which can become one: say how by merge`);
  }
  const late = store.window?.late;
  if (late !== undefined) checkName(late, `the topic for late records of ${what}`);
}

function checkName(name: string, what: string): void {
  if (isTopicName(name)) return;
  const rule = "letters, digits, '.', '_' and '-', 249 at most";
  throw invalid(`"${name}", for ${what}, is no topic name: use ${rule}`);
}

function sinkNames(nodes: readonly Node[]): string[] {
  const late = nodes.flatMap((node) => storeOf(node)?.window?.late ?? []);
  return [...nodes.flatMap((node) => (node.kind === "sink" ? node.topic.name : [])), ...late];
}

function invalid(what: string): StreamsError {
  return new StreamsError("INVALID_TOPOLOGY", `${what}.`);
}
