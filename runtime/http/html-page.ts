// The frame of the door's few HTML pages: no scripts, no foreign content.

/** A page without scripts that browsers are told to run none on. */
export function htmlPage(title: string, body: string): Response {
  const text =
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escapeHtml(title)}</title>` +
    '<meta name="viewport" content="width=device-width">' +
    `<style>${pageStyle}</style><main>${body}</main></html>`;
  return new Response(text, {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'",
    },
  });
}

const pageStyle =
  "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:48rem;padding:0 1rem}" +
  "pre{background:#8881;padding:.75rem;overflow:auto}code{font-family:ui-monospace,monospace}" +
  "table{border-collapse:collapse}td,th{border:1px solid #8886;padding:.25rem .5rem}";

export function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
