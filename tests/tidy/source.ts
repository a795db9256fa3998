// One source file as the tidy rules see it: its imports, functions, and what it takes from the environment,
// found on the syntax tree, so that comments and strings never count.

import { posix } from "node:path";
import { parseSync } from "oxc-parser";

export interface Import {
  /** A project path ("runtime/log/segment.ts") for relative imports and `#platform`, else the specifier. */
  readonly target: string;
  readonly line: number;
  readonly typeOnly: boolean;
}

export interface SourceFunction {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

export interface Use {
  /** "Date.now", "setTimeout", "new Date()", "Deno". */
  readonly what: string;
  readonly line: number;
}

export interface Source {
  readonly path: string;
  readonly text: string;
  readonly lines: number;
  readonly imports: readonly Import[];
  readonly functions: readonly SourceFunction[];
  /** References to names the file does not declare itself, and members of them. */
  readonly uses: readonly Use[];
  readonly strings: readonly string[];
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

/** AssemblyScript decorates functions, which TypeScript's grammar forbids; blanked, positions stay. */
const DECORATORS = /^([ \t]*)(@(?:inline|unsafe|external|global|lazy)\b(?:\([^)]*\))?)/gm;
const FUNCTIONS = ["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"];

/** Throws if the file does not parse. */
export function parseSource(path: string, text: string): Source {
  const code = path.includes("/assembly/")
    ? text.replace(DECORATORS, (_, space, name) => space + " ".repeat(name.length))
    : text;
  const { program, errors } = parseSync(posix.basename(path), code);
  const fault = errors[0];
  if (fault !== undefined) throw new Error(`${path}: ${fault.message}`);
  const reader = new TreeReader(path, code);
  reader.visit(program as unknown as Node, undefined, "");
  return {
    path,
    text,
    lines: text.split("\n").length - (text.endsWith("\n") ? 1 : 0),
    imports: reader.imports,
    functions: reader.functions,
    uses: reader.uses.filter((use) => !reader.declared.has(use.what.split(".")[0] ?? "")),
    strings: reader.strings,
  };
}

class TreeReader {
  readonly imports: Import[] = [];
  readonly functions: SourceFunction[] = [];
  readonly uses: Use[] = [];
  readonly strings: string[] = [];
  readonly declared = new Set<string>();
  readonly #path: string;
  readonly #code: string;
  readonly #lineStarts: number[] = [0];

  constructor(path: string, code: string) {
    this.#path = path;
    this.#code = code;
    for (let at = code.indexOf("\n"); at >= 0; at = code.indexOf("\n", at + 1)) {
      this.#lineStarts.push(at + 1);
    }
  }

  visit(node: Node, parent: Node | undefined, key: string): void {
    this.#readImport(node);
    this.#readDeclaration(node);
    if (FUNCTIONS.includes(node.type)) this.#readFunction(node, parent);
    if (node.type === "Literal" && typeof node.value === "string") this.strings.push(node.value);
    this.#readUse(node, parent, key);
    for (const [name, value] of Object.entries(node)) {
      if (Array.isArray(value)) {
        for (const item of value) if (isNode(item)) this.visit(item, node, name);
      } else if (isNode(value)) this.visit(value, node, name);
    }
  }

  #readImport(node: Node): void {
    const { source } = node;
    if (!isNode(source) || typeof source.value !== "string") return;
    const typeOnly =
      node.importKind === "type" || node.exportKind === "type" || node.type === "TSImportType";
    const target = resolveImport(this.#path, source.value);
    this.imports.push({ target, line: this.#lineOf(node.start), typeOnly });
  }

  /** Names bound anywhere in the file, whatever the scope: none of them is taken for an ambient one. */
  #readDeclaration(node: Node): void {
    if (node.declare === true) return;
    if (node.type === "VariableDeclarator") this.#declare(node.id);
    if (FUNCTIONS.includes(node.type)) {
      this.#declare(node.id);
      for (const param of asNodes(node.params)) this.#declare(param);
    }
    if (node.type.startsWith("Import") && node.type.endsWith("Specifier"))
      this.#declare(node.local);
  }

  #declare(pattern: unknown): void {
    if (!isNode(pattern)) return;
    if (pattern.type === "Identifier") this.declared.add(String(pattern.name));
    this.#declare(pattern.argument ?? pattern.left ?? pattern.value ?? pattern.parameter);
    for (const part of asNodes(pattern.elements ?? pattern.properties)) this.#declare(part);
  }

  #readFunction(node: Node, parent: Node | undefined): void {
    const named = [node.id, parent?.key, parent?.id].find(isNode);
    const line = this.#lineOf(node.start);
    const lines = this.#lineOf(node.end) - line + 1;
    this.functions.push({ name: String(named?.name ?? "(anonymous)"), line, lines });
  }

  #readUse(node: Node, parent: Node | undefined, key: string): void {
    const line = this.#lineOf(node.start);
    if (node.type === "MemberExpression" && node.computed !== true) {
      const path = this.#code.slice(node.start, node.end).replace(/^globalThis\??\./, "");
      if (/^\w+(\??\.\w+)*$/.test(path)) this.uses.push({ what: path.replaceAll("?.", "."), line });
    } else if (node.type === "NewExpression" && asNodes(node.arguments).length === 0) {
      if (nameOf(node.callee) === "Date") this.uses.push({ what: "new Date()", line });
    } else if (node.type === "Identifier" && isReference(parent, key)) {
      this.uses.push({ what: String(node.name), line });
    }
  }

  #lineOf(offset: number): number {
    let low = 0;
    let high = this.#lineStarts.length;
    while (low + 1 < high) {
      const middle = (low + high) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  }
}

/** Project path a specifier of `from` leads to; packages stay as they are written. */
function resolveImport(from: string, specifier: string): string {
  if (specifier === "#platform") return "runtime/platforms/node.ts";
  if (specifier === "#client-platform") return "runtime/platforms/client-node.ts";
  if (!specifier.startsWith(".")) return specifier;
  const path = posix.join(posix.dirname(from), specifier);
  // AssemblyScript's imports have no ending.
  return path.includes("/assembly/") && !path.endsWith(".ts") ? `${path}.ts` : path;
}

/** Not a property's name, a type's member, or the declaration of the name itself. */
function isReference(parent: Node | undefined, key: string): boolean {
  if (parent === undefined) return false;
  if (parent.computed === true) return true;
  if (key === "property" || key === "key" || key === "label" || key === "imported") return false;
  return !(parent.type.startsWith("TS") && key !== "expression");
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

function asNodes(value: unknown): Node[] {
  return Array.isArray(value) ? value.filter(isNode) : [];
}

function nameOf(node: unknown): string {
  return isNode(node) && node.type === "Identifier" ? String(node.name) : "";
}
