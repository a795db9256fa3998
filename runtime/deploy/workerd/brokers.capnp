# The same with the partitions spread over three brokers, each in an object of its own:
#
#   npx workerd serve brokers.capnp --directory-path=disk=./timberline-objects
#
# More brokers: BROKERS, and one socket for each, on ports that follow the first one's. Objects keep what they have: a
# number that grows is taken at the next start, one that shrinks leaves partitions without a leader.

using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "timberline", worker = .timberline),
    (name = "disk", disk = (writable = true)),
  ],
  sockets = [
    (name = "http", address = "127.0.0.1:8080", http = (), service = "timberline"),
    (name = "kafka-0", address = "127.0.0.1:9092", tcp = (), service = "timberline"),
    (name = "kafka-1", address = "127.0.0.1:9093", tcp = (), service = "timberline"),
    (name = "kafka-2", address = "127.0.0.1:9094", tcp = (), service = "timberline"),
  ],
);

const timberline :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    (name = "core.wasm", wasm = embed "core.wasm"),
  ],
  compatibilityDate = "2026-11-01",
  # Modules that are imported late are compiled late: a start reads half of the code.
  compatibilityFlags = ["new_module_registry"],
  durableObjectNamespaces = [
    (className = "TimberlineLog", uniqueKey = "timberline-log", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
    (name = "LOG", durableObjectNamespace = "TimberlineLog"),
    (name = "BROKERS", text = "3"),
    # Where the first broker's connections come in, when it is not 9092.
    (name = "KAFKA_PORT", fromEnvironment = "KAFKA_PORT"),
    (name = "COMPATIBILITY_DATE", text = "2026-11-01"),
    (name = "TIMBERLINE_ADVERTISED_LISTENERS", fromEnvironment = "TIMBERLINE_ADVERTISED_LISTENERS"),
    (name = "TIMBERLINE_LOG_RETENTION_MS", fromEnvironment = "TIMBERLINE_LOG_RETENTION_MS"),
  ],
);
