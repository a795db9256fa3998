// Answers of this API: JSON under the media type of its version.

export type ApiVersion = "v2" | "v3";

export const plainV2 = "application/vnd.kafka.v2+json";

export function restJson(
  value: unknown,
  { version, status = 200 }: { version: ApiVersion; status?: number },
): Response {
  const headers = { "content-type": version === "v3" ? "application/json" : plainV2 };
  return new Response(JSON.stringify(value), { status, headers });
}

export function noContent(): Response {
  return new Response(null, { status: 204 });
}
