// The manual's Markdown as HTML pages. Loaded by the first request for a page, with its parser.

import { Marked } from "marked";
import { escapeHtml, htmlPage } from "./html-page.ts";

interface View {
  readonly wantsHtml: boolean;
}

/** HTML inside Markdown is shown, not run; links keep to the web. */
const markdownToHtml = new Marked({
  gfm: true,
  renderer: {
    html: ({ text }) => escapeHtml(text),
    link({ href, tokens }) {
      const label = this.parser.parseInline(tokens);
      if (!/^(https?:|\/|#|[\w.-]+(\.md)?(#.*)?$)/i.test(href)) return label;
      return `<a href="${escapeHtml(href)}">${label}</a>`;
    },
  },
});

/** One page. */
export async function manualPage(
  name: string,
  markdown: string,
  { wantsHtml }: View,
): Promise<Response> {
  if (!wantsHtml) return markdownResponse(markdown);
  const html = await markdownToHtml.parse(markdown);
  return htmlPage(titleOf(name, markdown), `<p><a href="/docs">Manual</a></p>${html}`);
}

/** All pages, by title. */
export function listPage(pages: ReadonlyMap<string, string>, { wantsHtml }: View): Response {
  const entries = [...pages].map(([name, markdown]) => ({
    title: titleOf(name, markdown),
    to: `/docs/${encodeURIComponent(name)}`,
  }));
  if (!wantsHtml) {
    const lines = entries.map(({ title, to }) => `- [${title}](${to})`);
    return markdownResponse(`# Timberline's manual\n\n${lines.join("\n")}\n`);
  }
  const items = entries.map(({ title, to }) => `<li><a href="${to}">${escapeHtml(title)}</a></li>`);
  return htmlPage("Timberline's manual", `<h1>Manual</h1><ul>${items.join("")}</ul>`);
}

function titleOf(name: string, markdown: string): string {
  return /^# (.+)$/m.exec(markdown)?.[1]?.trim() ?? name;
}

function markdownResponse(markdown: string): Response {
  return new Response(markdown, { headers: { "content-type": "text/markdown; charset=utf-8" } });
}
