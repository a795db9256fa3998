// What brokers ask each other about transactions, as JSON, and how it is answered: a coordinator has markers written
// by those who lead the partitions, and those ask the coordinator whether a batch may come in.

import type { TopicPartition } from "../broker.ts";
import { BrokerError, type ErrorName } from "../errors.ts";
import type { TransactionMarker } from "../log/control-record.ts";
import type { Admission, RemoteTransactions } from "./coordinator-host.ts";

/** Rejects with `BrokerError` BROKER_NOT_AVAILABLE when the broker cannot be asked. */
export type AskBroker = (brokerId: number, question: unknown) => Promise<unknown>;

interface AdmitQuestion extends Admission {
  readonly about: "admission";
}

interface MarkersQuestion {
  readonly about: "markers";
  readonly places: readonly TopicPartition[];
  readonly marker: TransactionMarker;
}

interface ErrorWords {
  readonly code: string;
  readonly message: string;
}

/** What answers for this broker. */
export interface TransactionAnswers {
  admitHere(admission: Admission): undefined | Promise<void>;
  writeMarker(place: TopicPartition, marker: TransactionMarker): undefined | Promise<void>;
}

export function remoteTransactions(ask: AskBroker): RemoteTransactions {
  return {
    async admit(brokerId, admission) {
      const question: AdmitQuestion = { about: "admission", ...admission };
      const error = errorOf(await ask(brokerId, question));
      if (error !== null) throw error;
    },
    async writeMarkers(brokerId, places, marker) {
      const question: MarkersQuestion = { about: "markers", places, marker };
      const answer = await ask(brokerId, question);
      return places.map((_, i) => errorOf(Array.isArray(answer) ? answer[i] : undefined));
    },
  };
}

/** Undefined: the question is about something else. Never rejects. */
export function answerTransactions(
  question: unknown,
  answers: TransactionAnswers,
): undefined | Promise<unknown> {
  if (isAdmission(question)) return told(() => answers.admitHere(question));
  if (!isMarkers(question)) return undefined;
  const { places, marker } = question;
  return Promise.all(places.map((place) => told(() => answers.writeMarker(place, marker))));
}

async function told(run: () => undefined | Promise<void>): Promise<ErrorWords | null> {
  try {
    await run();
    return null;
  } catch (error) {
    if (error instanceof BrokerError) return { code: error.code, message: error.message };
    return { code: "UNKNOWN_SERVER_ERROR", message: String(error) };
  }
}

function isAdmission(question: unknown): question is AdmitQuestion {
  return hasTopic(question, "admission");
}

function isMarkers(question: unknown): question is MarkersQuestion {
  return hasTopic(question, "markers");
}

function hasTopic(question: unknown, about: string): boolean {
  const isObject = typeof question === "object" && question !== null;
  return isObject && "about" in question && question.about === about;
}

/** Null: it went well. An answer that is not understood is one of a broker in another version: asked again. */
function errorOf(answer: unknown): BrokerError | null {
  if (answer === null) return null;
  const isObject = typeof answer === "object" && "code" in answer && "message" in answer;
  const code = isObject ? known.find((each) => each === answer.code) : undefined;
  const message = isObject ? String(answer.message) : "an answer that is not understood";
  return new BrokerError(code ?? "COORDINATOR_NOT_AVAILABLE", message);
}

/** Errors that mean something to who asked; all others pass. */
const known: readonly ErrorName[] = [
  "CONCURRENT_TRANSACTIONS",
  "COORDINATOR_LOAD_IN_PROGRESS",
  "INVALID_PRODUCER_EPOCH",
  "INVALID_PRODUCER_ID_MAPPING",
  "INVALID_TXN_STATE",
  "KAFKA_STORAGE_ERROR",
  "NOT_COORDINATOR",
  "NOT_ENOUGH_REPLICAS",
  "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
  "NOT_LEADER_OR_FOLLOWER",
  "PRODUCER_FENCED",
  "REQUEST_TIMED_OUT",
  "TRANSACTION_COORDINATOR_FENCED",
  "UNKNOWN_SERVER_ERROR",
  "UNKNOWN_TOPIC_OR_PARTITION",
];
