// Which topics a request may be about, told by its path alone: the gateway looks up those it does not know before any
// route sees the request. Pure.

import { instancesTopic } from "../http/confluent/instance.ts";
import { streamRoot, topicOfPath } from "../http/durable-streams/stream-name.ts";

export interface RequestTopics {
  /** One of them is enough; none where the path names no topic. */
  readonly names: readonly string[];
  readonly isStream: boolean;
}

const topicPath = /^\/(?:v1\/|v3\/clusters\/[^/]+\/)?topics\/([^/]+)/;
const partitionPath = /^([^/]+)\/\d+$/;
const nothing: RequestTopics = { names: [], isStream: false };

export function topicsIn(url: string): RequestTopics {
  const { pathname } = new URL(url);
  try {
    const [, topic] = topicPath.exec(pathname) ?? [];
    if (topic !== undefined) return { names: [decodeURIComponent(topic)], isStream: false };
    if (pathname.startsWith("/consumers/")) return { names: [instancesTopic], isStream: false };
    if (!pathname.startsWith(streamRoot)) return nothing;
    const path = decodeURIComponent(pathname.slice(streamRoot.length));
    const [, ofPartition] = partitionPath.exec(path) ?? [];
    const names = [topicOfPath(path), ...(ofPartition === undefined ? [] : [ofPartition])];
    return { names, isStream: true };
  } catch {
    // The route says what is wrong with it.
    return nothing;
  }
}
