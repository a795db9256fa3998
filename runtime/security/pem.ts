// PEM as Kafka's ssl.keystore.* and ssl.truststore.* take it: a text with a private key and certificates among whatever
// else, over many lines or all on one. Cuts out the blocks; who reads them is the platform's TLS.

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----([^-]*)-----END \1-----/g;
const lineLength = 64;

/** All certificates of the text, in order; empty: there is none. */
export function certificatesOf(text: string): string {
  return blocks(text, (label) => label === "CERTIFICATE").join("");
}

/** The first private key of the text; empty: there is none. */
export function privateKeyOf(text: string): string {
  return blocks(text, (label) => label.endsWith("PRIVATE KEY"))[0] ?? "";
}

function blocks(text: string, isWanted: (label: string) => boolean): string[] {
  const found: string[] = [];
  for (const [whole, label = "", body = ""] of text.matchAll(BLOCK)) {
    if (!isWanted(label)) continue;
    // With lines of its own, such as Proc-Type, the block says more than base64: left as it is.
    found.push(body.includes(":") ? `${whole}\n` : block(label, body.replace(/\s+/g, "")));
  }
  return found;
}

function block(label: string, base64: string): string {
  const lines = base64.match(new RegExp(`.{1,${lineLength}}`, "g")) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}
