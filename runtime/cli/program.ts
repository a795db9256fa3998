// From argv to a command: builds commander's tree from the table of commands, and reads the global options before
// and after the command's name. Only the command that is called is loaded.

import { Command, CommanderError, Option } from "commander";
import { COMMANDS, type CommandSpec, GLOBAL_OPTIONS, GROUPS } from "./commands.ts";
import { ExitCode } from "./exit.ts";
import { Flags, type FlagValue } from "./flags.ts";

export interface ParsedCall {
  readonly spec: CommandSpec;
  readonly args: readonly string[];
  readonly flags: Flags;
}

/** The call, or the exit code when commander has already answered (help, wrong usage). */
export async function parseCall(argv: readonly string[]): Promise<ParsedCall | ExitCode> {
  let parsed: ParsedCall | undefined;
  const program = createProgram((call) => {
    parsed = call;
  });
  try {
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? ExitCode.done : ExitCode.usage;
  }
  return parsed ?? ExitCode.usage;
}

function createProgram(called: (call: ParsedCall) => void): Command {
  const program = prepare(new Command("timberline"))
    .description("a Kafka-compatible log: one broker, its topics and its files")
    .enablePositionalOptions()
    .configureHelp({ showGlobalOptions: false });
  addOptions(program, GLOBAL_OPTIONS, []);
  const groups = new Map<string, Command>();
  for (const spec of COMMANDS) {
    const words = spec.name.split(" ");
    const parent = words.length === 2 ? groupOf(program, groups, words[0] as string) : program;
    addCommand({ program, parent, name: words.at(-1) as string, spec, called });
  }
  return program;
}

function groupOf(program: Command, groups: Map<string, Command>, name: string): Command {
  let group = groups.get(name);
  if (!group) {
    group = prepare(program.command(name))
      .description(GROUPS[name] ?? "")
      .enablePositionalOptions();
    groups.set(name, group);
  }
  return group;
}

function addCommand(options: {
  program: Command;
  parent: Command;
  name: string;
  spec: CommandSpec;
  called: (call: ParsedCall) => void;
}): void {
  const { program, parent, name, spec, called } = options;
  const command = prepare(parent.command(name)).description(spec.summary);
  if (spec.args) command.arguments(spec.args);
  addOptions(command, spec.options ?? [], []);
  const own = (spec.options ?? []).map(([flags]) => flags);
  addOptions(command, GLOBAL_OPTIONS, own);
  if (spec.examples) {
    command.addHelpText(
      "after",
      ["", "Examples:", ...spec.examples.map((line) => `  ${line}`)].join("\n"),
    );
  }
  command.action(() => {
    const values = { ...program.opts<Values>(), ...defined(command.opts<Values>()) };
    called({ spec, args: command.args, flags: new Flags(values) });
  });
}

type Values = Record<string, FlagValue>;

/** Global options give way to a command's own: `-o` of consume is an offset, `--output` stays. */
function addOptions(
  command: Command,
  options: readonly (readonly [flags: string, help: string])[],
  taken: readonly string[],
): void {
  const shorts = new Set(taken.flatMap((flags) => /^-\w/.exec(flags)?.[0] ?? []));
  const longs = new Set(taken.flatMap((flags) => /--[\w-]+/.exec(flags)?.[0] ?? []));
  for (const [flags, help] of options) {
    const short = /^-\w(?=, )/.exec(flags)?.[0];
    const long = /--[\w-]+/.exec(flags)?.[0] as string;
    if (longs.has(long)) continue;
    const spelled = short && shorts.has(short) ? flags.slice(4) : flags;
    command.addOption(createOption(spelled, help));
  }
}

/** `<x...>` means repeatable here, one value each time: `-c a=1 -c b=2 topic` must not eat the topic. */
function createOption(flags: string, help: string): Option {
  const isRepeatable = flags.endsWith("...>") && !flags.includes(",...");
  const option = new Option(isRepeatable ? flags.replace("...>", ">") : flags, help);
  if (isRepeatable) {
    option.argParser((value: string, before: readonly string[] | undefined) => [
      ...(before ?? []),
      value,
    ]);
  }
  return option;
}

function prepare(command: Command): Command {
  return command
    .exitOverride()
    .showSuggestionAfterError()
    .allowExcessArguments(false)
    .helpOption("-h, --help", "this help")
    .configureOutput({
      outputError: (text, write) => write(text),
    });
}

function defined(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
