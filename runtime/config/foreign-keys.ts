// Keys of Kafka that this broker does not have. A server.properties may hold them: what only tunes Kafka's own
// machinery is passed over with a word, what promises security is refused, because passing it over would open
// the log to everyone.

/** What to do with a key of Kafka's that is not ours; undefined: not a key of Kafka's either. */
export interface ForeignKey {
  readonly refused: boolean;
  readonly why: string;
}

const SECURITY =
  /^(sasl|ssl|authorizer|delegation\.token|password\.encoder)\.|^(super\.users|allow\.everyone\.if\.no\.acl\.found|principal\.builder\.class|early\.start\.listeners\.)$|^listener\.name\./;

const MACHINERY: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/^(process\.roles|controller\.|metadata\.|initial\.broker\.|node\.)/, "has no KRaft controller"],
  [/^zookeeper\./, "has no ZooKeeper"],
  [
    /^(num\.(network|io|replica\.alter\.log\.dirs|recovery)\.|background\.threads$)/,
    "runs on one event loop",
  ],
  [/^queued\.max\.requests$/, "limits requests by bytes (queued.max.request.bytes)"],
  [/^socket\.(send|receive|listen|connection)\./, "leaves socket buffers to the system"],
  [
    /^(inter\.broker\.|listener\.|replica\.|num\.replica\.fetchers$|follower\.|leader\.)/,
    "runs alone",
  ],
  [
    /^(auto\.leader\.|controlled\.shutdown|broker\.(heartbeat|session)|unclean\.leader\.)/,
    "runs alone",
  ],
  [/^(group\.share\.|share\.|group\.streams\.)/, "has no share or streams groups"],
  [/^(offsets\.|group\.|consumer\.)/, "does this by itself"],
  [/^(transaction\.|producer\.id\.expiration\.check|add\.partitions\.to)/, "does this by itself"],
  [/^log\.cleaner\./, "does this by itself"],
  [/^log\.(flush\.(offset|start)|initial\.|dir\.failure|message\.)/, "does this by itself"],
  [/^remote\./, "has no tiered storage"],
  [
    /^(quota|controller\.quota|client\.quota|alter\.log\.dirs|replication\.quota)/,
    "has no quotas yet",
  ],
  [
    /^(metrics?|metric\.reporters|kafka\.metrics|auto\.include\.jmx|telemetry|client\.metrics)/,
    "shows metrics on /metrics",
  ],
  [/^(alter\.config|create\.topic)\.policy\./, "cannot load Java classes"],
  [
    /^(max\.(connection\.creation|request\.partition|connections\.per\.ip\.overrides|incremental)|request\.timeout|connection)/,
    "has no such limit",
  ],
  [
    /^(compression|delete|fetch|broker|security\.providers|unstable|errors|eligible)\./,
    "has no such setting",
  ],
];

export function foreignKey(name: string, value: string): ForeignKey | undefined {
  if (isInsecure(name, value)) {
    return {
      refused: true,
      why:
        "this version has TLS with PEM files and SASL PLAIN and SCRAM, but not this, and no ACLs: remove the " +
        "key only if everyone who may connect may do everything",
    };
  }
  if (name === "security.inter.broker.protocol") return { refused: false, why: "runs alone" };
  const why = MACHINERY.find(([pattern]) => pattern.test(name))?.[1];
  return why === undefined ? undefined : { refused: false, why: `Timberline ${why}` };
}

function isInsecure(name: string, value: string): boolean {
  if (name === "security.inter.broker.protocol") return value.trim().toUpperCase() !== "PLAINTEXT";
  return SECURITY.test(name);
}
