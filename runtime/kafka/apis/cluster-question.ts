// ClusterQuestion (1000): what one broker of a cluster asks another about the cluster itself: JSON both ways, in the
// words of `cluster/`. Not Kafka's: it is served only by a broker of a cluster, not advertised, and refused to
// whoever names another cluster.

import type { ClientConnection, Handler } from "../handler.ts";
import { bytes, defineApi, int16, int32, string, struct } from "../schema.ts";

export const clusterQuestion = defineApi({
  key: 1000,
  name: "ClusterQuestion",
  versions: { min: 0, max: 0 },
  flexibleSince: 0,
  isPrivate: true,
  request: struct({ clusterId: string(), fromId: int32(), question: bytes() }),
  response: struct({
    errorCode: int16(),
    /** Why it was refused, for people. */
    message: string({ nullable: true, default: null }),
    answer: bytes(),
  }),
});

export interface PeerQuestion {
  readonly clusterId: string;
  readonly fromId: number;
  readonly question: Uint8Array;
}

export interface PeerAnswer {
  readonly errorCode: number;
  readonly message: string | null;
  readonly answer: Uint8Array;
}

/** Answers a question of another broker; never rejects. `connection` tells when that broker hangs up. */
export type AnswerPeer = (
  question: PeerQuestion,
  connection: Pick<ClientConnection, "id" | "signal">,
) => Promise<PeerAnswer>;

export function clusterQuestionHandler(answerPeer: AnswerPeer): Handler<typeof clusterQuestion> {
  // The bytes are views of the frame, and the answer may take a while.
  return ({ clusterId, fromId, question }, { connection }) =>
    answerPeer({ clusterId, fromId, question: question.slice() }, connection);
}
