// Which topics a request may be about, told by its path alone: the gateway looks up those it does not know before any
// route sees the request. Pure.

import { streamRoot, topicOfPath } from "../http/durable-streams/stream-name.ts";

const topicPath = /^\/(?:v1\/|v3\/clusters\/[^/]+\/)?topics\/([^/]+)/;
const partitionPath = /^([^/]+)\/\d+$/;

/** One of them is enough; none where the path names no topic. */
export function topicsIn(url: string): readonly string[] {
  const { pathname } = new URL(url);
  try {
    const [, topic] = topicPath.exec(pathname) ?? [];
    if (topic !== undefined) return [decodeURIComponent(topic)];
    if (!pathname.startsWith(streamRoot)) return [];
    const path = decodeURIComponent(pathname.slice(streamRoot.length));
    const [, ofPartition] = partitionPath.exec(path) ?? [];
    const names = [topicOfPath(path)];
    return ofPartition === undefined ? names : [...names, ofPartition];
  } catch {
    // The route says what is wrong with it.
    return [];
  }
}
