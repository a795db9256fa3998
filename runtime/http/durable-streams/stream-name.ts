// Where a stream lies: its path below /v1/stream/ as a topic's name, and back. A path that is a legal topic name is that
// topic; any other is spelled in legal characters behind a mark. Pure.

import type { ClusterState } from "../../../cluster/control-plane.ts";
import type { TopicPartition } from "../../broker.ts";
import { internalTopics } from "../../topic-name.ts";
import { HttpError, invalid } from "../error.ts";

export const streamRoot = "/v1/stream/";
const bareRoot = streamRoot.slice(0, -1);
/** First segment of the control routes: no stream lies below it. */
export const reservedSegment = "__ds";

/** Before names whose every other character is spelled `.HH`, as bytes of UTF-8. Persisted in topic names. */
const mark = "ds..";
const topicNameMax = 249;
const legalName = /^[a-zA-Z0-9._-]+$/;
const partitionPath = /^([a-zA-Z0-9._-]+)\/(\d{1,9})$/;

/** The decoded path below the root, of a request's path or of a header that names a stream. */
export function streamPath(requestPath: string): string {
  if (requestPath === bareRoot) throw new HttpError("RESOURCE_NOT_FOUND", "the stream has no name");
  const raw = requestPath.startsWith(streamRoot)
    ? requestPath.slice(streamRoot.length)
    : requestPath.replace(/^\/+/, "");
  const path = decoded(raw);
  if (path === "") throw invalid("the stream has no name");
  if (path === reservedSegment || path.startsWith(`${reservedSegment}/`)) {
    throw new HttpError("RESOURCE_NOT_FOUND", `no stream lies below ${reservedSegment}`);
  }
  return path;
}

/** Throws INVALID_REQUEST for a name that no topic can have. */
export function topicOfPath(path: string): string {
  const isPlain = legalName.test(path) && !path.startsWith(mark) && path !== "." && path !== "..";
  const name = isPlain ? path : mark + spelled(path);
  if (internalTopics.has(name)) throw invalid(`${name} is no stream: the broker keeps it`);
  if (name.length > topicNameMax) {
    const what = `the stream's name takes ${name.length} characters as a topic, at most ${topicNameMax}`;
    throw invalid(`${what} fit; others than A-Z a-z 0-9 . _ - take three per byte`);
  }
  return name;
}

export function pathOfTopic(topic: string): string {
  if (!topic.startsWith(mark)) return topic;
  const percents = topic.slice(mark.length).replaceAll(".", "%");
  try {
    return decodeURIComponent(percents);
  } catch {
    return topic;
  }
}

/**
 * The partition behind a path; undefined if there is none. `orders/3` is partition 3 of the topic `orders`, unless
 * a stream of that very path was made: an address once a stream stays that stream.
 */
export function locate(topics: ClusterState["topics"], path: string): TopicPartition | undefined {
  const topic = topicOfPath(path);
  if (topics.has(topic)) return { topic, partition: 0 };
  const [, ofTopic, number] = partitionPath.exec(path) ?? [];
  if (ofTopic === undefined) return undefined;
  const partition = Number(number);
  const count = topics.get(ofTopic)?.partitions.length ?? 0;
  return partition < count ? { topic: ofTopic, partition } : undefined;
}

function spelled(path: string): string {
  let text = "";
  for (const byte of new TextEncoder().encode(path)) {
    const character = String.fromCharCode(byte);
    if (/[a-zA-Z0-9_-]/.test(character)) text += character;
    else text += `.${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}

function decoded(raw: string): string {
  try {
    return decodeURIComponent(raw);
  } catch (cause) {
    throw new HttpError("INVALID_REQUEST", "the stream's name is no valid URL path", { cause });
  }
}
