// What a program imports as `timberline/streams`: topologies over topics, and the driver that tests them.

export { bytes, type Codec, int, json, utf8, windowed } from "./codec.ts";
export {
  type DrivenRecord,
  type Driver,
  type DriverOptions,
  drive,
  type ReadRecord,
} from "./driver.ts";
export { StreamsError, type StreamsErrorCode } from "./error.ts";
export { deadLetter, type ErrorPolicies, type ErrorPolicy, type Stage } from "./failure.ts";
export type { RecordContext, Topic } from "./graph.ts";
export type { KStream, KTable, WindowedStream, WindowedTable } from "./stream.ts";
export type { TaskCounts } from "./task.ts";
export {
  type TopicOptions,
  type Topology,
  type TopologyOptions,
  topic,
  topology,
} from "./topology.ts";
export {
  type Duration,
  hopping,
  session,
  tumbling,
  type Window,
  type Windowed,
  type WindowOptions,
} from "./window.ts";
