// What the routes of consumer groups take and give, as valibot schemas. A part of `schemas.ts`, which alone imports it.

import * as v from "valibot";

const listedGroup = {
  group: v.string(),
  state: v.string(),
  protocol: v.pipe(v.string(), v.description("classic or consumer")),
  kind: v.pipe(v.string(), v.description("What its members are, mostly: consumer.")),
};
export const groupList = v.object({ groups: v.array(v.object(listedGroup)) });
const place = { topic: v.string(), partition: v.number() };
export const group = v.object({
  ...listedGroup,
  epoch: v.pipe(v.number(), v.description("Generation, or group epoch.")),
  members: v.array(
    v.object({
      member: v.string(),
      instance: v.nullable(v.string()),
      client: v.string(),
      host: v.string(),
      partitions: v.array(v.object(place)),
    }),
  ),
});
export const groupOffsets = v.object({
  group: v.string(),
  offsets: v.array(
    v.object({
      ...place,
      offset: v.number(),
      metadata: v.string(),
      end_offset: v.nullable(v.number()),
      lag: v.nullable(v.number()),
    }),
  ),
});
export const groupCommit = v.strictObject({
  offsets: v.pipe(
    v.array(
      v.strictObject({
        topic: v.string(),
        partition: v.pipe(v.number(), v.integer(), v.minValue(0)),
        offset: v.pipe(v.number(), v.integer(), v.minValue(0)),
        metadata: v.optional(v.string()),
      }),
    ),
    v.minLength(1, "must name a partition"),
  ),
});
export const groupCommitted = v.object({
  group: v.string(),
  offsets: v.array(
    v.object({
      ...place,
      offset: v.number(),
      error: v.nullable(v.object({ code: v.string(), message: v.string() })),
    }),
  ),
});
