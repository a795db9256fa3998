// What a handler's test needs around it: a context with a made-up broker and connection.

import { FetchSessions } from "../../../../runtime/kafka/fetch-sessions.ts";
import type { HandlerContext } from "../../../../runtime/kafka/handler.ts";
import { FakeBroker, fakePlatform, topicRecord } from "../fakes.ts";

export function setUp(apiVersion: number) {
  const { platform } = fakePlatform();
  const broker = new FakeBroker().add(topicRecord("t", 2));
  const reports: string[] = [];
  const closed: string[] = [];
  const context: HandlerContext = {
    broker: broker.broker,
    platform,
    clientId: "test",
    apiVersion,
    report: (_error, what) => reports.push(what),
    connection: {
      id: 1,
      remoteAddress: "127.0.0.1",
      remotePort: 1,
      listener: "PLAINTEXT",
      signal: new AbortController().signal,
      close: (reason) => closed.push(reason),
    },
  };
  return { broker, context, reports, closed, sessions: new FetchSessions(platform) };
}
