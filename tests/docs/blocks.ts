// The fenced blocks of a Markdown page, and the commands of a shell block. Pure: text in, data out.

export interface Block {
  /** First word after the fence: "sh", "js", "text", "". */
  readonly language: string;
  /** The words after it: "follow". */
  readonly words: readonly string[];
  readonly text: string;
  /** Line of the opening fence, from 1. */
  readonly line: number;
  /** Only blank lines stand between it and the block before. */
  readonly isRightAfter: boolean;
}

export interface Command {
  readonly text: string;
  readonly line: number;
}

export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split("\n");
  let previousEnd = -1;
  for (let at = 0; at < lines.length; at++) {
    const info = /^```(.*)$/.exec(lines[at] as string)?.[1];
    if (info === undefined) continue;
    const end = lines.indexOf("```", at + 1);
    if (end < 0) throw new Error(`line ${at + 1}: a fence without its end`);
    const [language = "", ...words] = info.trim().split(/\s+/);
    const between = lines.slice(previousEnd + 1, at);
    blocks.push({
      language,
      words,
      text: lines.slice(at + 1, end).join("\n"),
      line: at + 1,
      isRightAfter: previousEnd >= 0 && between.every((line) => line.trim() === ""),
    });
    previousEnd = end;
    at = end;
  }
  return blocks;
}

/** One command per line; a `\` at the end of a line and an open quote carry on. Comments are left out. */
export function commandsOf(block: Block): Command[] {
  const commands: Command[] = [];
  let text = "";
  let line = 0;
  for (const [index, part] of block.text.split("\n").entries()) {
    if (text === "" && /^\s*(#|$)/.test(part)) continue;
    if (text === "") line = block.line + 1 + index;
    text += text === "" ? part : `\n${part}`;
    if (text.endsWith("\\") || isQuoteOpen(text)) continue;
    commands.push({ text, line });
    text = "";
  }
  if (text !== "") throw new Error(`line ${line}: a command without its end`);
  return commands;
}

/** Whether the text ends inside '…' or "…". */
function isQuoteOpen(text: string): boolean {
  let open = "";
  for (let at = 0; at < text.length; at++) {
    const letter = text[at] as string;
    if (letter === "\\" && open !== "'") at++;
    else if (open === "" && (letter === "'" || letter === '"')) open = letter;
    else if (letter === open) open = "";
  }
  return open !== "";
}
