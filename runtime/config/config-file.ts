// Configuration files: our TOML and Kafka's server.properties, both to name, text and line. Knows nothing of keys.

export interface FileEntry {
  readonly name: string;
  readonly text: string;
  /** 0 when the place is not known. */
  readonly line: number;
}

export interface ParsedFile {
  readonly dialect: "toml" | "properties";
  readonly entries: readonly FileEntry[];
  readonly errors: readonly { readonly line: number; readonly message: string }[];
}

/** By its name: `*.properties` is Kafka's, all else TOML. The TOML parser is loaded only for TOML. */
export async function parseConfigFile(path: string, text: string): Promise<ParsedFile> {
  return path.endsWith(".properties") ? parseProperties(text) : parseToml(text);
}

/** Java's properties: `#` and `!` comments, `=`, `:` or blanks between, `\` at the end continues a line. */
export function parseProperties(text: string): ParsedFile {
  const entries = new Map<string, FileEntry>();
  const lines = text.split(/\r\n|\r|\n/);
  for (let index = 0; index < lines.length; index++) {
    const line = index + 1;
    let whole = lines[index]!.trimStart();
    if (whole === "" || whole.startsWith("#") || whole.startsWith("!")) continue;
    while (endsWithBackslash(whole) && index + 1 < lines.length) {
      whole = whole.slice(0, -1) + lines[++index]!.trimStart();
    }
    const match = /^((?:\\.|[^\\=:\s])+)(?:\s*[=:]\s*|\s+|$)(.*)$/.exec(whole);
    if (!match) continue;
    const name = unescaped(match[1]!);
    entries.set(name, { name, text: unescaped(match[2]!).trimEnd(), line });
  }
  return { dialect: "properties", entries: [...entries.values()], errors: [] };
}

async function parseToml(text: string): Promise<ParsedFile> {
  const { parse, TomlError } = await import("smol-toml");
  try {
    const entries: FileEntry[] = [];
    const lines = tomlLines(text);
    flatten("", parse(text, { integersAsBigInt: true }), (name, value) => {
      entries.push({ name, text: value, line: lines.get(name) ?? 0 });
    });
    entries.sort((a, b) => a.line - b.line);
    return { dialect: "toml", entries, errors: [] };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const message = error.message.split("\n", 1)[0]!.replace(/^Invalid TOML document: /, "");
    return { dialect: "toml", entries: [], errors: [{ line: error.line, message }] };
  }
}

/** `[log.retention]` with `ms = 5` is log.retention.ms; lists become Kafka's comma-separated ones. */
function flatten(prefix: string, value: unknown, emit: (name: string, text: string) => void): void {
  if (typeof value !== "object" || value === null || value instanceof Date) {
    emit(prefix, String(value));
  } else if (Array.isArray(value)) {
    emit(prefix, value.map(String).join(","));
  } else {
    for (const [name, inner] of Object.entries(value)) {
      flatten(prefix === "" ? name : `${prefix}.${name}`, inner, emit);
    }
  }
}

/** The parser keeps no places: the line of each `key =`, by its full name. */
function tomlLines(text: string): Map<string, number> {
  const places = new Map<string, number>();
  let table = "";
  for (const [index, line] of text.split("\n").entries()) {
    const header = /^\s*\[([^[\]]+)\]/.exec(line);
    if (header) table = `${bare(header[1]!)}.`;
    const key = /^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=/.exec(
      line,
    );
    if (key && !places.has(table + bare(key[1]!))) places.set(table + bare(key[1]!), index + 1);
  }
  return places;
}

function bare(name: string): string {
  return name.replace(/["'\s]/g, "");
}

function endsWithBackslash(line: string): boolean {
  const slashes = /\\+$/.exec(line)?.[0].length ?? 0;
  return slashes % 2 === 1;
}

function unescaped(text: string): string {
  return text.replace(
    /\\(?:u([0-9a-fA-F]{4})|(.))/g,
    (_, code: string | undefined, one: string) => {
      if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
      return { t: "\t", n: "\n", r: "\r", f: "\f" }[one] ?? one;
    },
  );
}
