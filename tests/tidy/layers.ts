// Who may import whom, as data. The picture is the one of the README's section on the flow of the data: doors
// above the broker, the broker above the log, and what all of them share below everything.

import type { Source } from "./source.ts";

export type Area = keyof typeof mayImport;

/** First match decides. Contracts and tables that every layer needs are "shared". */
const areas: readonly (readonly [RegExp, Area])[] = [
  [/^tests\//, "tests"],
  [/^(runtime|runtime\/edge|storage-wasm)\/build\.ts$/, "scripts"],
  [/^storage-wasm\/core\.ts$/, "core"],
  // Where no file can be read, the compiled module itself is imported and handed to `createCore`.
  [/^storage-wasm\/dist\/core(\.wasm|-inline\.js)$/, "core"],
  [/^storage-wasm\//, "storage-wasm"],
  [/^cluster\/(control-plane|peer)\.ts$/, "control-plane"],
  [/^cluster\//, "cluster"],
  [/^runtime\/(mod|embedded)\.ts$/, "mod"],
  [/^runtime\/platforms\//, "platforms"],
  [/^runtime\/edge\//, "edge"],
  [/^runtime\/cli\//, "cli"],
  [/^runtime\/client\/mod\.ts$/, "client-mod"],
  [/^runtime\/client\//, "client"],
  [/^runtime\/streams\/mod\.ts$/, "streams-mod"],
  [/^runtime\/streams\//, "streams"],
  [/^runtime\/server(-[a-z]+)?\.ts$/, "server"],
  [/^runtime\/http\//, "http"],
  [/^runtime\/kafka\//, "kafka"],
  [/^runtime\/router\//, "router"],
  [/^runtime\/gateway\//, "gateway"],
  [/^runtime\/(local-[^/]+\.ts$|fetch-wait\.ts$|broker\/)/, "broker"],
  // The client's leaders assign, and its members match topics, exactly as the broker does.
  [/^runtime\/groups\/(assignor|partition-set|topic-pattern|uniform-assignor)\.ts$/, "shared"],
  [/^runtime\/groups\//, "groups"],
  [/^runtime\/transactions\//, "transactions"],
  [/^runtime\/replication\//, "replication"],
  [/^runtime\/log\//, "log"],
  [/^runtime\/storage\/storage\.ts$/, "shared"],
  [/^runtime\/storage\//, "storage"],
  [/^runtime\/telemetry\//, "telemetry"],
  [/^runtime\/docs\//, "docs"],
  [/^runtime\/(compression|config|security)\//, "shared"],
  [/^runtime\/[^/]+\.ts$/, "shared"],
];

const anywhere = ["shared", "core", "control-plane"] as const;

/** What each area may import besides itself. */
const mayImport = {
  core: ["storage-wasm"],
  "storage-wasm": ["core"],
  "control-plane": [],
  cluster: ["control-plane"],
  shared: ["core", "control-plane"],
  storage: ["shared"],
  telemetry: ["shared"],
  docs: ["shared"],
  log: [...anywhere, "telemetry"],
  groups: [...anywhere, "log", "telemetry"],
  transactions: [...anywhere, "log", "telemetry"],
  replication: [...anywhere, "log", "telemetry", "client", "kafka"],
  broker: [...anywhere, "groups", "transactions", "replication", "log", "telemetry"],
  kafka: [...anywhere, "telemetry"],
  http: [...anywhere, "telemetry", "docs"],
  // In a cluster the HTTP door asks through it what other brokers lead.
  router: [...anywhere, "client", "kafka"],
  // The HTTP door over the client library: no log, no broker.
  gateway: [...anywhere, "client", "kafka", "router", "http", "telemetry"],
  client: [...anywhere, "kafka"],
  // The client with the platform that its program runs on.
  "client-mod": [...anywhere, "client", "platforms"],
  streams: [...anywhere, "client"],
  // Stream processing with the platform that its program runs on.
  "streams-mod": [...anywhere, "streams", "client", "platforms"],
  server: [
    ...anywhere,
    ...["http", "kafka", "broker", "groups", "transactions", "log"],
    ...["replication", "telemetry", "docs", "router"],
  ],
  platforms: [...anywhere, "storage", "cluster"],
  cli: [
    ...anywhere,
    "client-mod",
    "client",
    "server",
    "gateway",
    "log",
    "telemetry",
    "docs",
    "platforms",
  ],
  edge: [...anywhere, "server", "gateway", "platforms", "telemetry"],
  mod: [...anywhere, "client-mod", "client", "server", "platforms", "storage", "telemetry"],
  scripts: ["scripts"],
  tests: "everything",
} as const;

/** The area a project file belongs to; undefined for one that has no place. */
export function areaOf(path: string): Area | undefined {
  return areas.find(([pattern]) => pattern.test(path))?.[1];
}

/** One sentence per import that goes the wrong way. */
export function layerFaults(source: Source): string[] {
  const area = areaOf(source.path);
  if (area === undefined) return [`${source.path} belongs to no area of tests/tidy/layers.ts`];
  const allowed: readonly string[] | "everything" = mayImport[area];
  if (allowed === "everything") return [];
  const faults: string[] = [];
  for (const { target, line } of source.imports) {
    const other = areaOf(target);
    if (other === undefined || other === area || allowed.includes(other)) continue;
    faults.push(`${source.path}:${line} (${area}) must not import ${target} (${other})`);
  }
  return faults;
}
