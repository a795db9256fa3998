// loadConfig: from what the command line has gathered (a file's text, the environment, flags) to a BrokerConfig,
// with everything that is wrong found at once. Reads nothing itself.

import { BrokerConfig, type Layers, type LayerValues } from "./broker-config.ts";
import { parseConfigFile } from "./config-file.ts";
import { contradictions } from "./contradictions.ts";
import { foreignKey } from "./foreign-keys.ts";
import type { ConfigKey } from "./key.ts";
import {
  findBrokerKey,
  findTopicKey,
  isOurVariable,
  keyOfVariable,
  nearestKey,
  nearestVariable,
} from "./keys.ts";
import { withAddress } from "./listeners.ts";
import { assignment, type ConfigProblem, type Dialect, exampleOf } from "./problem.ts";
import { formatHostPort, parseHostPort } from "./rules.ts";
import { checkPlain, checkWritten, unitExamples } from "./value.ts";

/** The flags of `serve` that stand for keys, without their dashes. */
export interface ConfigFlags {
  readonly "data-dir"?: string | undefined;
  readonly host?: string | undefined;
  readonly "kafka-port"?: string | undefined;
  readonly "http-port"?: string | undefined;
  readonly advertise?: string | undefined;
  readonly flush?: string | undefined;
  readonly "broker-id"?: string | undefined;
  readonly "log-format"?: string | undefined;
  readonly nats?: string | undefined;
  readonly "nats-credentials"?: string | undefined;
  readonly "nats-replicas"?: string | undefined;
  readonly cluster?: string | undefined;
}

export interface ConfigSources {
  readonly file?: { readonly path: string; readonly text: string } | undefined;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** `name=value` of each `--set`, in order. */
  readonly sets?: readonly string[];
  readonly flags?: ConfigFlags;
  /** For variables that end in _FILE; throws what the system says. */
  readonly readSecret?: (path: string) => string;
}

export interface LoadedConfig {
  /** Without the values that are wrong: good for `config explain`, not to start with if there are problems. */
  readonly config: BrokerConfig;
  /** Each forbids the start: exit 2. */
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

export async function loadConfig(sources: ConfigSources): Promise<LoadedConfig> {
  const loader = new Loader();
  const file = sources.file ? await loader.file(sources.file) : undefined;
  const environment = loader.environment(sources.env ?? {}, sources.readSecret);
  const set = loader.sets(sources.sets ?? []);
  const weaker: Layers = { ...(file ? { file } : {}), environment, set };
  const flag = loader.flags(sources.flags ?? {}, new BrokerConfig(weaker));
  const config = new BrokerConfig({ ...weaker, flag });
  const found = contradictions(config);
  return {
    config,
    problems: [...loader.problems, ...found.problems],
    warnings: [...loader.warnings, ...found.warnings],
  };
}

interface Written {
  readonly name: string;
  readonly text: string;
  readonly place: string;
  readonly dialect: Dialect;
}

type Values = Map<string, { text: string; place: string }>;

/** More would be a mistake, such as a data file given as configuration. */
const PROBLEMS_MAX = 100;

/** For the commands that are clients; a broker that is started from the same shell has it, too. */
const clientsVariable = "TIMBERLINE_BOOTSTRAP";

class Loader {
  readonly problems: ConfigProblem[] = [];
  readonly warnings: ConfigProblem[] = [];

  async file({ path, text }: { path: string; text: string }): Promise<LayerValues> {
    const { dialect, entries, errors } = await parseConfigFile(path, text);
    for (const { line, message } of errors) {
      this.#problem({ place: `${path}:${line}`, key: "(file)", message });
    }
    const values: Values = new Map();
    for (const { name, text: value, line } of entries) {
      const place = line > 0 ? `${path}:${line}` : path;
      this.#take(values, { name, text: value, place, dialect });
    }
    return values;
  }

  environment(
    env: Readonly<Record<string, string | undefined>>,
    readSecret: ((path: string) => string) | undefined,
  ): LayerValues {
    const values: Values = new Map();
    for (const [variable, value] of Object.entries(env)) {
      if (value === undefined || !isOurVariable(variable)) continue;
      const own = keyOfVariable(variable);
      const filed = own ? undefined : keyOfVariable(variable.replace(/_FILE$/, ""));
      const key = own ?? (variable.endsWith("_FILE") ? filed : undefined);
      const text = own ? value : key && this.#secret(variable, value, readSecret);
      if (!key) this.#unknownVariable(variable, value);
      else if (text !== undefined) {
        this.#take(values, { name: key.name, text, place: variable, dialect: "environment" });
      }
    }
    return values;
  }

  sets(sets: readonly string[]): LayerValues {
    const values: Values = new Map();
    for (const set of sets) {
      const equals = set.indexOf("=");
      const [name, text] = equals < 0 ? [set, ""] : [set.slice(0, equals), set.slice(equals + 1)];
      if (equals < 1) {
        const message = "a setting is written name=value";
        this.#problem({ place: "--set", key: set, message, paste: "--set num.partitions=3" });
      } else this.#take(values, { name: name.trim(), text, place: "--set", dialect: "argument" });
    }
    return values;
  }

  /** Host and ports are parts of `listeners`: what is not given comes from the weaker layers. */
  flags(flags: ConfigFlags, weaker: BrokerConfig): LayerValues {
    const values: Values = new Map();
    const take = (name: string, flag: keyof ConfigFlags, text = flags[flag]) => {
      if (text === undefined) return;
      this.#take(values, { name, text, place: `--${flag}`, dialect: "argument" });
    };
    take("log.dirs", "data-dir");
    take("node.id", "broker-id");
    take("timberline.flush", "flush");
    take("timberline.log.format", "log-format");
    take("timberline.http.port", "http-port");
    take("timberline.nats.servers", "nats");
    take("timberline.nats.credentials", "nats-credentials");
    take("timberline.nats.replicas", "nats-replicas");
    take("timberline.cluster.name", "cluster");
    const { host, advertise } = flags;
    const port = flags["kafka-port"];
    if (host !== undefined || port !== undefined) {
      const base = weaker.kafkaListeners[0]!;
      const address = addressText(host ?? base.host, port ?? String(base.port));
      const text = withAddress(weaker.text("listeners") ?? "", base.name, address);
      take("listeners", host === undefined ? "kafka-port" : "host", text);
      if (host !== undefined) take("timberline.http.host", "host");
    }
    if (advertise !== undefined) {
      const named = parseHostPort(advertise);
      const { name } = weaker.kafkaListeners[0]!;
      const others = weaker.text("advertised.listeners") ?? "";
      const text = named && withAddress(others, name, formatHostPort(named));
      take("advertised.listeners", "advertise", text ?? advertise);
    }
    return values;
  }

  #take(values: Values, written: Written): void {
    const { name, text, place } = written;
    const key = findBrokerKey(name);
    if (!key) {
      this.#unknown(written);
      return;
    }
    const checked =
      written.dialect === "properties" ? checkPlain(key, text) : checkWritten(key, text);
    if ("text" in checked) values.set(name, { text: checked.text, place });
    else this.#invalid(key, written, checked.complaint);
  }

  #invalid(key: ConfigKey, written: Written, complaint: string): void {
    const units = written.dialect === "properties" ? undefined : unitExamples(key);
    this.#problem({
      place: written.place,
      key: key.name,
      read: key.sensitive ? null : written.text,
      message: complaint,
      allowed: [key.rule.allowed, ...(units ? [units] : [])].join("; "),
      paste: pasteFor(key, written),
    });
  }

  #unknown(written: Written): void {
    const { name, text, place, dialect } = written;
    const foreign = foreignKey(name, text);
    if (foreign) {
      // Not the value: it may be a password.
      const message = foreign.refused ? foreign.why : `passed over: ${foreign.why}`;
      this.#problem({ place, key: name, message }, foreign.refused ? "problem" : "warning");
      return;
    }
    const topicKey = findTopicKey(name);
    const nearest = topicKey ? topicKey.brokerKey : (nearestKey(name, "broker") ?? null);
    const message = topicKey
      ? "is a key of topics; the default of all topics has its own name"
      : "unknown key";
    const paste = nearest === null ? null : assignment(dialect, nearest, text);
    this.#problem({ place, key: name, read: text, message, nearest, paste });
  }

  /**
   * Only a warning: a Kubernetes service called "timberline" puts TIMBERLINE_PORT and others of its own into
   * every container.
   */
  #unknownVariable(variable: string, value: string): void {
    if (variable === clientsVariable) return;
    if (/^TIMBERLINE_(SERVICE_|PORT(_\d|$))|_(SERVICE|PORT)_/.test(variable)) return;
    const nearest = nearestVariable(variable) ?? null;
    this.#problem(
      {
        place: variable,
        key: variable,
        message: "no key has this variable; it is passed over",
        nearest,
        paste: nearest === null ? null : `${nearest}=${value.slice(0, 80)}`,
      },
      "warning",
    );
  }

  #secret(
    variable: string,
    path: string,
    readSecret: ((path: string) => string) | undefined,
  ): string | undefined {
    try {
      if (!readSecret) throw new Error("files cannot be read here");
      return readSecret(path).replace(/\r?\n$/, "");
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#problem({
        place: variable,
        key: variable,
        read: path,
        message: `cannot be read: ${why}`,
      });
      return undefined;
    }
  }

  #problem(
    problem: Pick<ConfigProblem, "place" | "key" | "message"> & Partial<ConfigProblem>,
    kind: "problem" | "warning" = "problem",
  ): void {
    const list = kind === "problem" ? this.problems : this.warnings;
    if (list.length >= PROBLEMS_MAX) return;
    list.push({ read: null, allowed: null, nearest: null, paste: null, ...problem });
  }
}

/** Flags write their own lines: `--flush group` rather than `--set timberline.flush=group`. */
function pasteFor(key: ConfigKey, { place, dialect }: Written): string {
  const example = exampleOf(key);
  if (dialect !== "argument" || place === "--set") return assignment(dialect, key.name, example);
  if (place === "--host") return "--host 127.0.0.1";
  if (place === "--kafka-port") return "--kafka-port 9092";
  if (place === "--advertise") return "--advertise 192.0.2.1:9092";
  return `${place} ${example}`;
}

function addressText(host: string, port: string): string {
  const bracketed = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return `${bracketed}:${port}`;
}
