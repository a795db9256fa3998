// DeleteTopics (20): removes topics by name, from v6 also by id (KIP-516), each on its own.
// A name or id that occurs twice, or a name whose id is asked for as well, is answered INVALID_REQUEST and
// nothing of it is deleted. v4 is flexible, v5 adds messages. TOPIC_DELETION_DISABLED exists from v3 on, before
// it is INVALID_REQUEST.

import { BrokerError } from "../../errors.ts";
import { type ErrorAnswer, errorCodes, noError } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { duplicates, itemError, refusal } from "../item-error.ts";
import type { ResponseInput } from "../schema.ts";
import { array, defineApi, int16, int32, string, struct, uuid } from "../schema.ts";
import { zeroUuid } from "../uuid.ts";

export const deleteTopics = defineApi({
  key: 20,
  name: "DeleteTopics",
  versions: { min: 1, max: 6 },
  flexibleSince: 4,
  request: struct({
    topics: array(struct({ name: string({ nullable: true }), topicId: uuid() }), {
      since: 6,
      default: [],
    }),
    topicNames: array(string(), { until: 5, default: [] }),
    timeoutMs: int32(),
  }),
  response: struct({
    throttleTimeMs: int32(),
    responses: array(
      struct({
        name: string({ nullable: 6 }),
        topicId: uuid({ since: 6 }),
        errorCode: int16(),
        errorMessage: string({ since: 5, nullable: 5 }),
      }),
    ),
  }),
});

interface Wanted {
  readonly name: string | null;
  readonly topicId: string;
}
type TopicResult = ResponseInput<typeof deleteTopics>["responses"][number];

const deletionDisabledSince = 3;
const askedTwice = "The provided topic name maps to an ID that was already supplied.";

export const handleDeleteTopics: Handler<typeof deleteTopics> = async (request, context) => {
  const named = request.topicNames.map((name) => ({ name, topicId: zeroUuid }));
  const wanted: readonly Wanted[] = [...request.topics, ...named];
  const conflicts = findConflicts(wanted, context);
  const responses = new Map<string, TopicResult>();
  for (const topic of wanted) {
    const key = `${topic.name} ${topic.topicId}`;
    if (!responses.has(key)) responses.set(key, await remove(topic, conflicts(topic), context));
  }
  return { throttleTimeMs: 0, responses: [...responses.values()] };
};

/** Returns what forbids deleting an entry, looked up before the first one is deleted. */
function findConflicts(
  wanted: readonly Wanted[],
  { broker }: HandlerContext,
): (topic: Wanted) => string | undefined {
  const { topics, topicsById } = broker.cluster();
  const names = wanted.flatMap(({ name }) => (name === null ? [] : [name]));
  const ids = wanted.flatMap(({ topicId }) => (topicId === zeroUuid ? [] : [topicId]));
  const namesTwice = duplicates(names);
  const idsTwice = duplicates(ids);
  const namesOnce = new Set(names);
  const idsOnce = new Set(ids);
  return ({ name, topicId }) => {
    if (name !== null && topicId !== zeroUuid) {
      return "You may not specify both topic name and topic id.";
    }
    if (name === null) {
      if (topicId === zeroUuid) return "Neither topic name nor id were specified.";
      if (idsTwice.has(topicId)) return "Duplicate topic id.";
      return namesOnce.has(topicsById.get(topicId)?.name ?? "") ? askedTwice : undefined;
    }
    if (namesTwice.has(name)) return "Duplicate topic name.";
    const known = topics.get(name);
    return known && idsOnce.has(known.id) ? askedTwice : undefined;
  };
}

async function remove(
  topic: Wanted,
  conflict: string | undefined,
  context: HandlerContext,
): Promise<TopicResult> {
  if (conflict !== undefined) return { ...topic, ...refusal("INVALID_REQUEST", conflict) };
  const { topics, topicsById } = context.broker.cluster();
  const found = topic.name === null ? topicsById.get(topic.topicId) : topics.get(topic.name);
  if (!found) return { ...topic, ...unknown(topic) };
  const answered = { name: found.name, topicId: found.id };
  try {
    await context.broker.deleteTopic(found.name);
    return { ...answered, ...noError };
  } catch (error) {
    return { ...answered, ...refused(error, context) };
  }
}

function unknown({ name }: Wanted): ErrorAnswer {
  return name === null
    ? refusal("UNKNOWN_TOPIC_ID", "This server does not host this topic ID.")
    : refusal("UNKNOWN_TOPIC_OR_PARTITION", "This server does not host this topic-partition.");
}

function refused(error: unknown, context: HandlerContext): ErrorAnswer {
  const result = itemError(error, context, "DeleteTopics");
  const disabled = error instanceof BrokerError && error.code === "TOPIC_DELETION_DISABLED";
  if (!disabled || context.apiVersion >= deletionDisabledSince) return result;
  return { ...result, errorCode: errorCodes.INVALID_REQUEST };
}
