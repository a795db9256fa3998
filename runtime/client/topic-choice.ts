// TopicChoice: the topics a group consumer reads, by their names or by a pattern that may match more tomorrow.

import { TopicPattern } from "../groups/topic-pattern.ts";
import { asClientError, ClientError } from "./error.ts";
import type { GroupConsumerOptions } from "./group-api.ts";
import type { Metadata, TopicMetadata } from "./metadata.ts";

export class TopicChoice {
  /** Empty with a pattern. */
  readonly topics: readonly string[];
  /** As the broker takes it; null without. */
  readonly regex: string | null;
  readonly #pattern: TopicPattern | null;

  /** Throws INVALID_REQUEST or INVALID_REGULAR_EXPRESSION. */
  constructor({ topics, pattern }: Pick<GroupConsumerOptions, "topics" | "pattern">) {
    if ((topics === undefined) === (pattern === undefined)) {
      throw new ClientError("INVALID_REQUEST", "Give a group consumer either topics or a pattern.");
    }
    this.topics = topics ?? [];
    this.regex = pattern === undefined ? null : regexOf(pattern);
    this.#pattern = this.regex === null ? null : parsed(this.regex);
  }

  /** Those that exist now, freshly looked up. */
  async look(metadata: Metadata): Promise<readonly TopicMetadata[]> {
    if (this.#pattern !== null) {
      const all = await metadata.fetch(null);
      return all.filter(({ name, isInternal }) => !isInternal && this.#pattern!.matches(name));
    }
    for (const topic of this.topics) metadata.invalidate(topic);
    const found = await Promise.allSettled(
      this.topics.map((topic) => metadata.load(topic, { create: false })),
    );
    return found.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  }

  /** What to subscribe to by name, whether it exists or not. */
  async names(metadata: Metadata): Promise<readonly string[]> {
    if (this.#pattern === null) return this.topics;
    return (await this.look(metadata)).map(({ name }) => name).sort();
  }
}

function regexOf(pattern: RegExp | string): string {
  if (typeof pattern === "string") return pattern;
  return pattern.ignoreCase ? `(?i)${pattern.source}` : pattern.source;
}

function parsed(regex: string): TopicPattern {
  try {
    return new TopicPattern(regex);
  } catch (error) {
    throw asClientError(error, "Subscribing");
  }
}
