// The manual's Markdown as HTML pages. Loaded by the first request for a page, with its parser.

import { Marked } from "marked";
import { escapeHtml, htmlPage } from "./html-page.ts";

interface View {
  readonly wantsHtml: boolean;
}

/** The page that is shown at /docs itself. */
const firstPage = "index";

/** HTML inside Markdown is shown, not run; links keep to the web and to the manual. */
const markdownToHtml = new Marked({
  gfm: true,
  renderer: {
    html: ({ text }) => escapeHtml(text),
    heading({ tokens, depth, text }) {
      const label = this.parser.parseInline(tokens);
      return `<h${depth} id="${anchorOf(text)}">${label}</h${depth}>`;
    },
    link({ href, tokens }) {
      const label = this.parser.parseInline(tokens);
      const to = targetOf(href);
      return to === undefined ? label : `<a href="${escapeHtml(to)}">${label}</a>`;
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

/** The manual's own first page, or a list of all pages by title. */
export async function listPage(
  pages: ReadonlyMap<string, string>,
  { wantsHtml }: View,
): Promise<Response> {
  const first = pages.get(firstPage);
  if (first !== undefined) return manualPage(firstPage, first, { wantsHtml });
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

/** Where a link leads, or undefined for what is neither web nor manual. Pages link to each other as files. */
function targetOf(href: string): string | undefined {
  const [, page, anchor = ""] = /^([\w-]+)(?:\.md)?(#.*)?$/.exec(href) ?? [];
  if (page !== undefined) return `/docs/${page}${anchor}`;
  return /^(https?:|\/|#)/i.test(href) ? href : undefined;
}

/** As GitHub makes them, so that a link works in both places. */
function anchorOf(heading: string): string {
  const text = heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "");
  return text.trim().replaceAll(/\s/g, "-");
}

function titleOf(name: string, markdown: string): string {
  return /^# (.+)$/m.exec(markdown)?.[1]?.trim() ?? name;
}

function markdownResponse(markdown: string): Response {
  return new Response(markdown, { headers: { "content-type": "text/markdown; charset=utf-8" } });
}
