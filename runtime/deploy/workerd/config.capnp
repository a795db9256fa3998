# Timberline in workerd on a machine of your own, with objects on its disk:
#
#   npx workerd serve config.capnp --directory-path=disk=./timberline-objects
#
# Other addresses: --socket-addr=http=0.0.0.0:8080 --socket-addr=kafka=0.0.0.0:9092, and then the address that
# Kafka's clients are told: TIMBERLINE_ADVERTISED_LISTENERS=PLAINTEXT://log.example.org:9092.

using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "timberline", worker = .timberline),
    (name = "disk", disk = (writable = true)),
  ],
  sockets = [
    (name = "http", address = "127.0.0.1:8080", http = (), service = "timberline"),
    (name = "kafka", address = "127.0.0.1:9092", tcp = (), service = "timberline"),
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
    (name = "COMPATIBILITY_DATE", text = "2026-11-01"),
    (name = "TIMBERLINE_ADVERTISED_LISTENERS", fromEnvironment = "TIMBERLINE_ADVERTISED_LISTENERS"),
    (name = "TIMBERLINE_LOG_RETENTION_MS", fromEnvironment = "TIMBERLINE_LOG_RETENTION_MS"),
  ],
);
