// Consumer instances of v2: made, subscribed or assigned, read, committed, removed. Each request finds its instance in
// the log and leaves it there, so any node serves any of them; `base_uri` names the group and the instance, no node.

import type { Context } from "hono";
import type { TopicPartition } from "../../broker.ts";
import { hasConsumerProtocol } from "../../features.ts";
import { type Door, pathParameter } from "../route.ts";
import { noContent, restJson } from "./answer.ts";
import {
  type Fields,
  fieldsOf,
  flagField,
  listField,
  numberField,
  onlyFields,
  placesField,
  readBody,
  requireBody,
  requiredNumber,
  textField,
} from "./body.ts";
import { errorCodes, hasCode, illegalState, noPartition, unprocessable } from "./error.ts";
import { bodyOfGet } from "./get-body.ts";
import {
  type Held,
  type Instance,
  type InstanceId,
  isSubscribed,
  movedTo,
  samePlace,
} from "./instance.ts";
import {
  commitOffsets,
  committedOffsets,
  offsetAt,
  positioned,
  uncommitted,
} from "./instance-offsets.ts";
import { InstanceReader } from "./instance-reader.ts";
import { InstanceTable } from "./instance-table.ts";
import { noRegistry } from "./media-type.ts";
import { isOutside, Membership } from "./membership.ts";
import { readRecords } from "./read-records.ts";

const nameLengthMax = 249;
const topicsMax = 1_000;
const patternLengthMax = 1_000;
const defaultWaitMs = 1_000;
const idBytes = 16;
const v2 = { version: "v2" } as const;
const registryFormats: readonly string[] = ["avro", "protobuf", "jsonschema"];
const resets: readonly string[] = ["earliest", "latest", "none"];

export class Consumers {
  readonly #door: Door;
  readonly table: InstanceTable;
  readonly membership: Membership;
  readonly #reader: InstanceReader;

  constructor(door: Door) {
    this.#door = door;
    this.table = new InstanceTable(door);
    this.membership = new Membership(door, this.table);
    this.#reader = new InstanceReader(door, this.table, this.membership);
  }

  async create(context: Context): Promise<Response> {
    const body = (await readBody(this.#door, context)) ?? {};
    const instance = this.#newInstance(nameIn(context, "group"), body);
    await this.#door.broker.groups.find(instance.group);
    await this.table.create(instance);
    const { group, name } = instance;
    const { origin } = new URL(context.req.url);
    const path = `/consumers/${encodeURIComponent(group)}/instances/${encodeURIComponent(name)}`;
    return restJson({ instance_id: name, base_uri: `${origin}${path}` }, v2);
  }

  async remove(context: Context): Promise<Response> {
    const instance = await this.#settled(context);
    // As a consumer that is closed: what it was given counts as read.
    if (instance.autoCommit) {
      await commitOffsets(this.#door, instance, uncommitted(instance)).catch((error: unknown) => {
        if (!isOutside(error)) throw error;
      });
    }
    await this.table.remove(instance);
    await this.membership.leave(instance);
    return noContent();
  }

  // ---- what it reads ----

  async subscribe(context: Context): Promise<Response> {
    const body = await requireBody(this.#door, context);
    const { topics, pattern } = subscriptionIn(body);
    const before = await this.table.use(idIn(context));
    if (before.isManual) throw illegalState(eitherOr);
    if (!hasConsumerProtocol(this.#door.broker.cluster())) throw illegalState(noProtocol);
    const wanted = await this.table.change(before, (current) => ({ ...current, topics, pattern }));
    try {
      await this.membership.speak(wanted);
    } catch (error) {
      if (!hasCode(error, "INVALID_REGULAR_EXPRESSION", "UNSUPPORTED_VERSION")) throw error;
      const { topics, pattern } = before;
      await this.table.change(before, (current) => ({ ...current, topics, pattern }));
      throw unprocessable(error.message);
    }
    return noContent();
  }

  async subscription(context: Context): Promise<Response> {
    const { topics, pattern, held } = await this.table.use(idIn(context));
    const matched = new Set(held.map(({ topic }) => topic));
    return restJson({ topics: pattern === null ? topics : [...matched].sort() }, v2);
  }

  async unsubscribe(context: Context): Promise<Response> {
    const instance = await this.#settled(context);
    await this.table.change(instance, (current) => ({
      ...current,
      ...{ topics: [], pattern: null, isManual: false, held: [], handed: null, epoch: 0 },
    }));
    await this.membership.leave(instance);
    return noContent();
  }

  async assign(context: Context): Promise<Response> {
    const body = await requireBody(this.#door, context);
    const places = placesField(body, "partitions", () => ({}));
    const topics = this.#door.broker.cluster().topics;
    const held = places.map(({ topic, partition }): Held => {
      const record = topics.get(topic);
      if (record?.partitions[partition] === undefined) throw noPartition(topic, partition);
      return { topic, topicId: record.id, partition, offset: null, committed: null };
    });
    const before = await this.table.use(idIn(context));
    if (isSubscribed(before)) throw illegalState(eitherOr);
    const isManual = held.length > 0;
    await this.table.change(before, (current) => ({ ...current, isManual, held, handed: null }));
    return noContent();
  }

  async assignments(context: Context): Promise<Response> {
    const { held } = await this.table.use(idIn(context));
    const partitions = held.map(({ topic, partition }) => ({ topic, partition }));
    return restJson({ partitions }, v2);
  }

  // ---- where it is ----

  async seek(context: Context): Promise<Response> {
    const body = await requireBody(this.#door, context);
    const offsets = placesField(body, "offsets", (each) => {
      return { offset: requiredNumber(each, "offset") };
    });
    return this.#seek(idIn(context), offsets);
  }

  async seekToEdge(context: Context, edge: "earliest" | "latest"): Promise<Response> {
    const body = await requireBody(this.#door, context);
    const places = placesField(body, "partitions", () => ({}));
    const found = await Promise.all(
      places.map(async (place) => {
        const offset = await offsetAt(this.#door, place, edge);
        if (offset === null) throw noPartition(place.topic, place.partition);
        return { ...place, offset };
      }),
    );
    return this.#seek(idIn(context), found);
  }

  async #seek(
    id: InstanceId,
    offsets: readonly (TopicPartition & { offset: number })[],
  ): Promise<Response> {
    await this.table.use(id);
    await this.table.change(id, (current) => {
      for (const place of offsets) requireHeld(current, place);
      return { ...current, held: movedTo(current.held, offsets), handed: null };
    });
    return noContent();
  }

  async committed(context: Context): Promise<Response> {
    const instance = await this.table.use(idIn(context));
    const asked = await askedPlaces(this.#door, context, instance);
    const found = await committedOffsets(this.#door, instance, asked);
    const offsets = found.flatMap(({ topic, partition, offset, metadata }) =>
      offset < 0 ? [] : [{ topic, partition, offset, metadata }],
    );
    return restJson({ offsets }, v2);
  }

  /** A client names the last record it has done with; without a body it has done with all it read. */
  async commit(context: Context): Promise<Response> {
    const body = await readBody(this.#door, context);
    const given = body && placesField(body, "offsets", committedIn);
    const instance = await this.#settled(context);
    const offsets = given ?? (await this.#positions(instance));
    if (isSubscribed(instance)) for (const place of given ?? []) requireHeld(instance, place);
    try {
      await commitOffsets(this.#door, instance, offsets);
    } catch (error) {
      if (!isOutside(error) || instance.epoch === 0) throw error;
      const again = await this.membership.speak(instance);
      // It was out of the group meanwhile: others may have read on from there.
      if (again.memberId !== instance.memberId || !holdsAll(again, instance, offsets)) {
        throw illegalState("the group gave partitions of this consumer to others; read again");
      }
      await commitOffsets(this.#door, again, offsets);
    }
    return noContent();
  }

  async #positions(instance: Instance) {
    const held = await positioned(this.#door, instance);
    return uncommitted({ ...instance, held: held.map((each) => ({ ...each, committed: null })) });
  }

  records(context: Context): Promise<Response> {
    const id = idIn(context);
    return readRecords(this.#door, context, {
      use: () => this.table.use(id),
      read: (options) => this.#reader.read(id, options),
    });
  }

  async #settled(context: Context): Promise<Instance> {
    await this.table.use(idIn(context));
    return this.#reader.settled(idIn(context));
  }

  #newInstance(group: string, body: Fields): Instance {
    const { clock, random } = this.#door.platform;
    onlyFields(body, "body", instanceFields);
    const memberId = hex(random.bytes(idBytes));
    const name = textField(body, "name") ?? textField(body, "id") ?? `rest-consumer-${memberId}`;
    if (name === "" || name.length > nameLengthMax) {
      throw unprocessable(`name: 1 to ${nameLengthMax} characters`);
    }
    const reset = (textField(body, "auto.offset.reset") ?? "latest").toLowerCase();
    if (!resets.includes(reset)) {
      const message = `Invalid consumer configuration: auto.offset.reset ${reset} is none of ${resets}`;
      throw unprocessable(message, errorCodes.invalidConsumerConfig);
    }
    const { fetchWaitMsMax } = this.#door.config.limits;
    const waitMs = numberField(body, "consumer.request.timeout.ms") ?? defaultWaitMs;
    return {
      ...{ group, name, memberId, format: formatIn(body), epoch: 0 },
      ...{ topics: [], pattern: null, isManual: false, held: [], handed: null },
      autoCommit: flagField(body, "auto.commit.enable") ?? true,
      reset: reset as Instance["reset"],
      bytesMin: Math.max(1, numberField(body, "fetch.min.bytes", -1) ?? 1),
      waitMs: Math.min(waitMs, fetchWaitMsMax),
      usedMs: clock.nowMs(),
    };
  }
}

const noProtocol =
  "instances join groups by the consumer protocol, and group.version is 0: raise it, or use assignments";
const eitherOr = "Subscription to topics, partitions and pattern are mutually exclusive";
const instanceFields: readonly string[] = [
  ...["id", "name", "format", "auto.offset.reset", "auto.commit.enable"],
  ...["fetch.min.bytes", "consumer.request.timeout.ms", "responseMinBytes", "requestWaitMs"],
];

function formatIn(body: Fields): Instance["format"] {
  const format = (textField(body, "format") ?? "binary").toLowerCase();
  if (format === "json" || format === "binary") return format;
  if (registryFormats.includes(format)) {
    throw unprocessable(noRegistry(format, "format is json or binary"));
  }
  throw unprocessable(`Invalid format type ${JSON.stringify(format)}: json or binary`);
}

function subscriptionIn(body: Fields): Pick<Instance, "topics" | "pattern"> {
  onlyFields(body, "body", ["topics", "topic_pattern"]);
  const topics = listField(body, "topics");
  const pattern = textField(body, "topic_pattern") ?? null;
  if (topics !== undefined && pattern !== null) throw illegalState(eitherOr);
  if (pattern !== null) {
    if (pattern !== "" && pattern.length <= patternLengthMax) return { topics: [], pattern };
    throw unprocessable(`topic_pattern: 1 to ${patternLengthMax} characters`);
  }
  const names = topics?.filter((each) => typeof each === "string" && each !== "") as string[];
  const isFine = topics !== undefined && names.length === topics.length && names.length > 0;
  if (isFine && names.length <= topicsMax) return { topics: [...new Set(names)], pattern };
  throw unprocessable(`topics: 1 to ${topicsMax} names, or topic_pattern: an expression`);
}

function committedIn(each: Fields) {
  const offset = requiredNumber(each, "offset") + 1;
  return { offset, leaderEpoch: -1, metadata: textField(each, "metadata") ?? "" };
}

/** Of the body or the query; neither: all that it reads. */
async function askedPlaces(
  door: Door,
  context: Context,
  { held }: Instance,
): Promise<TopicPartition[]> {
  const body = await bodyOfGet(context);
  if (body !== undefined) return placesField(fieldsOf(body, "body"), "partitions", () => ({}));
  const topic = context.req.query("topic");
  if (topic === undefined) return held.map(({ topic, partition }) => ({ topic, partition }));
  const partitions = context.req.queries("partition") ?? [];
  if (partitions.length > 0) {
    return partitions.map((text) => {
      if (!/^\d{1,9}$/.test(text)) throw noPartition(topic, text);
      return { topic, partition: Number(text) };
    });
  }
  const count = door.broker.cluster().topics.get(topic)?.partitions.length ?? 0;
  if (count === 0) throw noPartition(topic, 0);
  return Array.from({ length: count }, (_, partition) => ({ topic, partition }));
}

function requireHeld({ held }: Instance, place: TopicPartition): void {
  if (held.some((each) => samePlace(each, place))) return;
  throw illegalState(`No current assignment for partition ${place.topic}-${place.partition}`);
}

/** Whether the instance still holds what it held, and was no stranger to its group meanwhile. */
function holdsAll(now: Instance, before: Instance, places: readonly TopicPartition[]): boolean {
  return places.every((place) => {
    const old = before.held.find((each) => samePlace(each, place));
    const held = now.held.find((each) => samePlace(each, place));
    return held !== undefined && old?.offset === held.offset;
  });
}

function idIn(context: Context): InstanceId {
  return { group: nameIn(context, "group"), name: nameIn(context, "instance") };
}

function nameIn(context: Context, parameter: string): string {
  return pathParameter(context, parameter);
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
