// What a broker asks another one for somebody at its HTTP door, where Kafka's protocol has no words for all of the
// answer: groups of their coordinator, partitions of their leader. JSON, in ClusterQuestion; a refusal is an answer.

import type { Broker, TakeFenceRequest, TopicPartition } from "./broker.ts";
import { BrokerError } from "./errors.ts";
import type {
  CommitRequest,
  ConsumerHeartbeat,
  ConsumerHeartbeatAnswer,
  FetchedOffset,
  FetchOffsetsRequest,
  GroupListing,
  GroupSummary,
} from "./group-coordinator.ts";
import type { DescribedPartition, RoutableBroker } from "./routable-broker.ts";

interface Questions {
  readonly partitions: [asked: readonly TopicPartition[], answer: readonly DescribedPartition[]];
  readonly fence: [asked: TakeFenceRequest, answer: number];
  /** Of this coordinator's groups. */
  readonly groups: [asked: null, answer: readonly GroupListing[]];
  readonly group: [asked: string, answer: GroupSummary];
  readonly "group-offsets": [asked: FetchOffsetsRequest, answer: readonly FetchedOffset[]];
  readonly "group-commit": [asked: CommitRequest, answer: readonly (BrokerError | null)[]];
  readonly "group-deletion": [asked: string, answer: null];
  /** Of a member whose heartbeats come through any HTTP door. */
  readonly "group-heartbeat": [asked: ConsumerHeartbeat, answer: ConsumerHeartbeatAnswer];
}

export type About = keyof Questions;
export type Asked<A extends About> = Questions[A][0];
export type Answer<A extends About> = Questions[A][1];

/** A broker whose own answers these are. */
export type LeadingBroker = RoutableBroker & { readonly groups: Broker["groups"] };

type Answers = {
  readonly [A in About]: (broker: LeadingBroker, asked: Asked<A>) => Answer<A> | Promise<Answer<A>>;
};

const answers: Answers = {
  async partitions(broker, places) {
    const found = await broker.describePartitions(places);
    return found.map((each) => {
      if (each instanceof BrokerError || each.leader === broker.brokerId) return each;
      const what = `broker ${broker.brokerId} does not lead ${each.topic}-${each.partition}`;
      return new BrokerError("NOT_LEADER_OR_FOLLOWER", what);
    });
  },
  fence: (broker, request) => broker.takeFence(request),
  groups: ({ groups }) => groups.list(),
  group: ({ groups }, groupId) => groups.summary(groupId),
  "group-offsets": ({ groups }, request) => groups.fetchOffsets(request),
  "group-commit": ({ groups }, request) => groups.commitOffsets(request),
  async "group-deletion"({ groups }, groupId) {
    await groups.delete(groupId);
    return null;
  },
  "group-heartbeat": ({ groups }, request) => groups.consumerHeartbeat(request),
};

/** What this broker has to say. Throws or rejects with `BrokerError`. */
export async function answerHere<A extends About>(
  broker: LeadingBroker,
  about: A,
  asked: Asked<A>,
): Promise<Answer<A>> {
  return answers[about](broker, asked);
}

export function questionOf<A extends About>(about: A, asked: Asked<A>): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ about, asked }));
}

/** The other side: undefined if the question is about something else. Rejects only for bugs. */
export function answerLeaderQuestion(
  question: unknown,
  broker: LeadingBroker,
): undefined | Promise<unknown> {
  if (typeof question !== "object" || question === null || !("about" in question)) return undefined;
  const { about } = question;
  if (!isAbout(about) || !("asked" in question)) return undefined;
  const told = answerHere(broker, about, question.asked as Asked<typeof about>);
  return told.then(
    (answer) => ({ answer: plain(answer) }),
    (error: unknown) => {
      if (error instanceof BrokerError) return { refusal: plain(error) };
      throw error;
    },
  );
}

/** What came back. Throws the `BrokerError` that it says. */
export function answerIn<A extends About>(_: A, bytes: Uint8Array): Answer<A> {
  const told = JSON.parse(new TextDecoder().decode(bytes), revived) as {
    readonly answer: Answer<A>;
    readonly refusal?: BrokerError;
  };
  if (told.refusal !== undefined) throw told.refusal;
  return told.answer;
}

function isAbout(about: unknown): about is About {
  return typeof about === "string" && Object.hasOwn(answers, about);
}

const errorMark = "brokerError";

/** Errors in it become plain words; they stand on their own, in a list, or as a member of what is listed. */
function plain(value: unknown): unknown {
  if (value instanceof BrokerError) return { [errorMark]: value.code, message: value.message };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null || !("error" in value)) return value;
  return { ...value, error: plain(value.error) };
}

function revived(_: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || !(errorMark in value)) return value;
  const { [errorMark]: code, message } = value as Record<string, unknown>;
  return new BrokerError(code as BrokerError["code"], String(message));
}
