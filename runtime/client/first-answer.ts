// firstAnswer: asks one after the other, each as soon as the one before it has failed or is slow, and takes the first
// answer. For questions that any broker can answer, and that may be asked twice.

import type { Context } from "./context.ts";
import { ClientError } from "./error.ts";

/** So long one is waited for before the next is asked as well. */
export const patienceMs = 1_000;

/** Rejects with the last failure when all have failed, or with the first one that trying elsewhere does not mend. */
export function firstAnswer<T>(
  context: Context,
  questions: readonly (() => Promise<T>)[],
): Promise<T> {
  return new Promise((resolve, reject) => {
    let asked = 0;
    let underWay = 0;
    let isOver = false;
    const end = (settle: () => void): void => {
      if (isOver) return;
      isOver = true;
      settle();
    };
    const failed = (error: unknown): void => {
      underWay--;
      const isFinal = !(error instanceof ClientError) || !error.retriable;
      if (isFinal || (asked === questions.length && underWay === 0)) end(() => reject(error));
      else askNext();
    };
    const askNext = (): void => {
      const question = questions[asked];
      if (isOver || question === undefined) return;
      const own = ++asked;
      underWay++;
      question().then((answer) => end(() => resolve(answer)), failed);
      if (own === questions.length) return;
      context.platform.clock.after(patienceMs, () => {
        if (asked === own) askNext();
      });
    };
    if (questions.length === 0) reject(new ClientError("BROKER_NOT_AVAILABLE", "No broker."));
    askNext();
  });
}
