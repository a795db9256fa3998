// Answers of an object that last: it must know until when it is used.

/** Answers that wait for records, and need timers for it, as long as their reader stays. */
const lastingTypes = /^(text\/event-stream|application\/x-ndjson)/;

/** Calls `ended` when the answer is there or, of one that lasts, when all of it has left or its reader has. */
export function endingWith(response: Response, ended: () => void): Response {
  const { body } = response;
  const type = response.headers.get("content-type") ?? "";
  if (body === null || !lastingTypes.test(type)) {
    ended();
    return response;
  }
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  body.pipeTo(writable).then(ended, ended);
  return new Response(readable, response);
}

/** The one error shape of the HTTP door, for an object that could not start. */
export function refusal(error: unknown): Response {
  const isNamed = error instanceof Error && "code" in error;
  const code = isNamed ? error.code : "UNKNOWN_SERVER_ERROR";
  const message = error instanceof Error ? error.message : String(error);
  return Response.json({ error: { code, message, status: 503 } }, { status: 503 });
}
