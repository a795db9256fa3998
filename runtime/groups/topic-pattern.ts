// TopicPattern: regular expressions over topic names in RE2's syntax, matched in time linear in the name whatever
// the expression: a member may send any, and a backtracking engine could be kept busy for ever by a short one.
// A pattern matches whole names. Captures are not kept.
//
// Parsed into a program of the kind Thompson described: all ways through it are followed at once.

import { BrokerError } from "../errors.ts";

const lengthMax = 1_000;
const repeatMax = 1_000;
const stepsMax = 20_000;
const depthMax = 200;

type Test = (code: number) => boolean;
type Node =
  | { readonly kind: "test"; readonly test: Test }
  | { readonly kind: "start" | "end" | "empty" }
  | { readonly kind: "all" | "any"; readonly nodes: readonly Node[] }
  | { readonly kind: "repeat"; readonly node: Node; readonly min: number; readonly max: number };
type Step =
  | { readonly kind: "test"; readonly test: Test }
  | { readonly kind: "split"; readonly a: number; b: number }
  | { readonly kind: "jump"; to: number }
  | { readonly kind: "start" | "end" | "match" };

export class TopicPattern {
  readonly #steps: Step[] = [];

  /** Throws INVALID_REGULAR_EXPRESSION, saying where it stops making sense. */
  constructor(text: string) {
    if (text.length > lengthMax) throw invalid(text, `it has more than ${lengthMax} characters`);
    const parser = new Parser(text);
    this.#emit(parser.parse(), text);
    this.#steps.push({ kind: "match" });
  }

  matches(name: string): boolean {
    let states = this.#follow([0], 0, name.length);
    for (let at = 0; at < name.length; at++) {
      const code = name.charCodeAt(at);
      const next: number[] = [];
      for (const state of states) {
        const step = this.#steps[state]!;
        if (step.kind === "test" && step.test(code)) next.push(state + 1);
      }
      if (next.length === 0) return false;
      states = this.#follow(next, at + 1, name.length);
    }
    return states.some((state) => this.#steps[state]!.kind === "match");
  }

  /** All states that are reached without reading anything. */
  #follow(from: readonly number[], at: number, length: number): number[] {
    const seen = new Set<number>();
    const open = [...from];
    const reached: number[] = [];
    while (open.length > 0) {
      const state = open.pop()!;
      if (seen.has(state)) continue;
      seen.add(state);
      const step = this.#steps[state]!;
      if (step.kind === "split") open.push(step.a, step.b);
      else if (step.kind === "jump") open.push(step.to);
      else if (step.kind === "start") at === 0 && open.push(state + 1);
      else if (step.kind === "end") at === length && open.push(state + 1);
      else reached.push(state);
    }
    return reached;
  }

  #emit(node: Node, text: string): void {
    if (this.#steps.length > stepsMax) throw invalid(text, "it is too large");
    if (node.kind === "test") this.#steps.push({ kind: "test", test: node.test });
    else if (node.kind === "start" || node.kind === "end") this.#steps.push({ kind: node.kind });
    else if (node.kind === "all") for (const each of node.nodes) this.#emit(each, text);
    else if (node.kind === "any") this.#emitAny(node.nodes, text);
    else if (node.kind === "repeat") this.#emitRepeat(node, text);
  }

  #emitAny(nodes: readonly Node[], text: string): void {
    const ends: { kind: "jump"; to: number }[] = [];
    for (const [i, node] of nodes.entries()) {
      const isLast = i === nodes.length - 1;
      const split = { kind: "split" as const, a: this.#steps.length + 1, b: 0 };
      if (!isLast) this.#steps.push(split);
      this.#emit(node, text);
      if (isLast) continue;
      const end = { kind: "jump" as const, to: 0 };
      this.#steps.push(end);
      ends.push(end);
      split.b = this.#steps.length;
    }
    for (const end of ends) end.to = this.#steps.length;
  }

  #emitRepeat(
    { node, min, max }: { readonly node: Node; readonly min: number; readonly max: number },
    text: string,
  ): void {
    for (let i = 0; i < min; i++) this.#emit(node, text);
    if (max === Number.POSITIVE_INFINITY) {
      const at = this.#steps.length;
      const split = { kind: "split" as const, a: at + 1, b: 0 };
      this.#steps.push(split);
      this.#emit(node, text);
      this.#steps.push({ kind: "jump", to: at });
      split.b = this.#steps.length;
      return;
    }
    const splits: { kind: "split"; a: number; b: number }[] = [];
    for (let i = min; i < max; i++) {
      const split = { kind: "split" as const, a: this.#steps.length + 1, b: 0 };
      this.#steps.push(split);
      splits.push(split);
      this.#emit(node, text);
    }
    for (const split of splits) split.b = this.#steps.length;
  }
}

const digit: Test = (code) => code >= 48 && code <= 57;
const word: Test = (code) =>
  digit(code) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95;
const space: Test = (code) => code === 32 || (code >= 9 && code <= 13 && code !== 11);
const not =
  (test: Test): Test =>
  (code) =>
    !test(code);
const classes: Readonly<Record<string, Test>> = {
  d: digit,
  D: not(digit),
  w: word,
  W: not(word),
  s: space,
  S: not(space),
};
const namedClasses: Readonly<Record<string, Test>> = {
  alpha: (code) => word(code) && !digit(code) && code !== 95,
  digit,
  alnum: (code) => word(code) && code !== 95,
  word,
  space,
  lower: (code) => code >= 97 && code <= 122,
  upper: (code) => code >= 65 && code <= 90,
  punct: (code) => code > 32 && code < 127 && (!word(code) || code === 95),
};
const controls: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, a: 7 };

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #ignoresCase = false;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Node {
    const node = this.#any();
    if (this.#at < this.#text.length) throw this.#fault("a ')' without its '('");
    return node;
  }

  #any(): Node {
    if (++this.#depth > depthMax) throw this.#fault("too many groups inside each other");
    const nodes = [this.#all()];
    while (this.#take("|")) nodes.push(this.#all());
    this.#depth--;
    return nodes.length === 1 ? nodes[0]! : { kind: "any", nodes };
  }

  #all(): Node {
    const nodes: Node[] = [];
    while (this.#at < this.#text.length && !"|)".includes(this.#text[this.#at]!)) {
      nodes.push(this.#repeated(this.#one()));
    }
    return { kind: "all", nodes };
  }

  #repeated(node: Node): Node {
    const bounds = this.#bounds();
    if (bounds === undefined) return node;
    // Lazy or greedy: the same names match.
    this.#take("?");
    if (this.#bounds() !== undefined) throw this.#fault("a repetition of a repetition");
    return { kind: "repeat", node, ...bounds };
  }

  #bounds(): { min: number; max: number } | undefined {
    if (this.#take("*")) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.#take("+")) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.#take("?")) return { min: 0, max: 1 };
    const found = /^\{(\d+)(?:(,)(\d*))?\}/.exec(this.#text.slice(this.#at, this.#at + 20));
    if (found === null) return undefined;
    this.#at += found[0].length;
    const min = Number(found[1]);
    const upper = found[3] ? Number(found[3]) : Number.POSITIVE_INFINITY;
    const max = found[2] === undefined ? min : upper;
    if (min > repeatMax || (Number.isFinite(max) && max > repeatMax) || max < min) {
      throw this.#fault("a repetition that cannot be");
    }
    return { min, max };
  }

  #one(): Node {
    const character = this.#text[this.#at++]!;
    if (character === "(") return this.#group();
    if (character === "[") return { kind: "test", test: this.#cased(this.#set()) };
    if (character === ".") return { kind: "test", test: (code) => code !== 10 };
    if (character === "^") return { kind: "start" };
    if (character === "$") return { kind: "end" };
    if (character === "\\") return this.#escaped();
    if ("*+?".includes(character)) throw this.#fault("nothing to repeat");
    return this.#literal(character.charCodeAt(0));
  }

  #group(): Node {
    const casedBefore = this.#ignoresCase;
    if (this.#take("?")) {
      const found = /^(?:(:)|([imsU]*)(?:-([imsU]+))?([:)])|P?<[A-Za-z_]\w*>)/.exec(
        this.#text.slice(this.#at, this.#at + 80),
      );
      if (found === null) throw this.#fault("a group of an unknown kind");
      this.#at += found[0].length;
      if (found[2]?.includes("i")) this.#ignoresCase = true;
      if (found[3]?.includes("i")) this.#ignoresCase = false;
      if (found[4] === ")") return { kind: "empty" };
    }
    const node = this.#any();
    if (!this.#take(")")) throw this.#fault("a '(' without its ')'");
    this.#ignoresCase = casedBefore;
    return node;
  }

  #escaped(): Node {
    const character = this.#text[this.#at++];
    if (character === undefined) throw this.#fault("a '\\' at the end");
    const test = classes[character];
    if (test) return { kind: "test", test };
    if (character === "A") return { kind: "start" };
    if (character === "z") return { kind: "end" };
    if (character === "Q") return this.#quoted();
    return this.#literal(this.#escapedCode(character));
  }

  #escapedCode(character: string): number {
    const control = controls[character];
    if (control !== undefined) return control;
    if (character === "x") {
      const found = /^(?:([0-9a-fA-F]{2})|\{([0-9a-fA-F]{1,6})\})/.exec(
        this.#text.slice(this.#at, this.#at + 8),
      );
      if (found === null) throw this.#fault("an escape that cannot be read");
      this.#at += found[0].length;
      return Number.parseInt(found[1] ?? found[2]!, 16);
    }
    if (word(character.charCodeAt(0))) throw this.#fault(`the unknown escape \\${character}`);
    return character.charCodeAt(0);
  }

  #quoted(): Node {
    const end = this.#text.indexOf("\\E", this.#at);
    const text = this.#text.slice(this.#at, end < 0 ? undefined : end);
    this.#at = end < 0 ? this.#text.length : end + 2;
    return { kind: "all", nodes: [...text].map((each) => this.#literal(each.charCodeAt(0))) };
  }

  #set(): Test {
    const isNegated = this.#take("^");
    const tests: Test[] = [];
    for (let isFirst = true; isFirst || this.#text[this.#at] !== "]"; isFirst = false) {
      if (this.#at >= this.#text.length) throw this.#fault("a '[' without its ']'");
      tests.push(this.#setItem());
    }
    this.#at++;
    const test: Test = (code) => tests.some((each) => each(code));
    return isNegated ? not(test) : test;
  }

  #setItem(): Test {
    const named = /^\[:(\^?)([a-z]+):\]/.exec(this.#text.slice(this.#at, this.#at + 16));
    if (named !== null) {
      this.#at += named[0].length;
      const test = namedClasses[named[2]!];
      if (test === undefined) throw this.#fault(`the unknown class ${named[2]}`);
      return named[1] ? not(test) : test;
    }
    const first = this.#setCharacter();
    if (typeof first !== "number") return first;
    const isRange =
      this.#text[this.#at] === "-" &&
      this.#at + 1 < this.#text.length &&
      this.#text[this.#at + 1] !== "]";
    if (!isRange) return (code) => code === first;
    this.#at++;
    const last = this.#setCharacter();
    if (typeof last !== "number" || last < first) throw this.#fault("a range that cannot be");
    return (code) => code >= first && code <= last;
  }

  #setCharacter(): number | Test {
    const character = this.#text[this.#at++]!;
    if (character !== "\\") return character.charCodeAt(0);
    const escaped = this.#text[this.#at++];
    if (escaped === undefined) throw this.#fault("a '\\' at the end");
    return classes[escaped] ?? this.#escapedCode(escaped);
  }

  #literal(literal: number): Node {
    return { kind: "test", test: this.#cased((code) => code === literal) };
  }

  #cased(test: Test): Test {
    if (!this.#ignoresCase) return test;
    return (code) => {
      const text = String.fromCharCode(code);
      return test(text.toLowerCase().charCodeAt(0)) || test(text.toUpperCase().charCodeAt(0));
    };
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #fault(what: string): BrokerError {
    return invalid(this.#text, `at ${this.#at}: ${what}`);
  }
}

function invalid(text: string, why: string): BrokerError {
  const shown = text.length > 100 ? `${text.slice(0, 100)}…` : text;
  return new BrokerError("INVALID_REGULAR_EXPRESSION", `'${shown}' cannot be used: ${why}`);
}
