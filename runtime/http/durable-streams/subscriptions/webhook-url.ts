// Which URLs the server will call for somebody else: https anywhere public, http only on this machine. Pure. A name
// that resolves to a private address cannot be told from here; the network's own rules must.

const thisMachine = /^(localhost|127\.0\.0\.\d{1,3})$/;
const urlLengthMax = 2048;

/** The complaint, or null. */
export function webhookUrlFault(text: unknown): string | null {
  if (typeof text !== "string" || text.length > urlLengthMax) return "webhook.url: no URL";
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return "webhook.url: no URL";
  }
  if (url.username !== "" || url.password !== "") return "webhook.url: holds a password";
  const host = url.hostname.toLowerCase();
  if (thisMachine.test(host)) {
    return url.protocol === "http:" || url.protocol === "https:"
      ? null
      : "webhook.url: not http(s)";
  }
  if (url.protocol !== "https:") return "webhook.url: only https, except on localhost";
  return isPrivate(host) ? "webhook.url: a private address" : null;
}

function isPrivate(host: string): boolean {
  // IPv6 literals: public services have names.
  if (host.startsWith("[")) return true;
  if (host.endsWith(".localhost") || host.endsWith(".local") || host.endsWith(".internal"))
    return true;
  const parts = host.split(".").map(Number);
  if (parts.length !== 4 || parts.some((part) => !(part >= 0 && part <= 255))) return false;
  const [a = 0, b = 0] = parts;
  return (
    a === 0 ||
    a === 10 ||
    a === 127 ||
    a >= 224 ||
    (a === 100 && b >= 64 && b < 128) ||
    (a === 169 && b === 254) ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && b === 168) ||
    (a === 198 && (b === 18 || b === 19))
  );
}
