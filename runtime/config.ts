// Configuration, as the rest of the broker sees it: `loadConfig` at start, `BrokerConfig` for the broker's own
// values, `TopicConfig` for a topic's, and what Describe- and AlterConfigs and `config explain` need.
// The tables behind it are in `config/`; a key exists when it is in one of them.

export { BrokerConfig, LAYERS, type LayerName, type Setting } from "./config/broker-config.ts";
export {
  describeBrokerConfigs,
  describeClusterDefaults,
  describeGroupConfigs,
  describeTopicConfigs,
} from "./config/describe.ts";
export { type Explanation, explain, explainDifferences } from "./config/explain.ts";
export { type GroupConfig, resolveGroupConfig } from "./config/group-config.ts";
export type { ConfigKey } from "./config/key.ts";
export type {
  BrokerKeyName,
  TopicKeyName,
} from "./config/keys.ts";
export {
  allKeys,
  findBrokerKey,
  findGroupKey,
  findTopicKey,
  nearestKey,
  variableOf,
} from "./config/keys.ts";
export {
  type ConfigFlags,
  type ConfigSources,
  type LoadedConfig,
  loadConfig,
} from "./config/load.ts";
export {
  applyOperations,
  type ConfigScope,
  type ConfigTarget,
  mergeChanges,
  replaceConfigs,
} from "./config/operations.ts";
export { type ConfigProblem, formatProblem } from "./config/problem.ts";
export type { FlushMode, HostPort } from "./config/rules.ts";
export { formatHostPort, isEveryAddress, parseFlushMode, parseHostPort } from "./config/rules.ts";
export {
  resolveTopicConfig,
  type TopicConfig,
  validateTopicConfigs,
} from "./config/topic-config.ts";
export { checkWritten } from "./config/value.ts";
