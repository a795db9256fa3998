# A gateway in workerd on a machine of your own:
#
#   BOOTSTRAP=127.0.0.1:9092 npx workerd serve config.capnp
#
# Another address: --socket-addr=http=0.0.0.0:8080. TLS=true trusts what the service "internet" trusts.

using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "gateway", worker = .gateway),
    (name = "internet", network = (
      allow = ["public", "private"],
      tlsOptions = (trustBrowserCas = true),
    )),
  ],
  sockets = [
    (name = "http", address = "127.0.0.1:8080", http = (), service = "gateway"),
  ],
);

const gateway :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    (name = "core.wasm", wasm = embed "core.wasm"),
  ],
  compatibilityDate = "2026-11-01",
  # Modules that are imported late are compiled late: a start reads half of the code.
  compatibilityFlags = ["new_module_registry"],
  durableObjectNamespaces = [
    (className = "TimberlineGateway", uniqueKey = "timberline-gateway"),
  ],
  durableObjectStorage = (inMemory = void),
  bindings = [
    (name = "GATEWAY", durableObjectNamespace = "TimberlineGateway"),
    (name = "BOOTSTRAP", fromEnvironment = "BOOTSTRAP"),
    (name = "TLS", fromEnvironment = "TLS"),
    (name = "SASL_MECHANISM", fromEnvironment = "SASL_MECHANISM"),
    (name = "SASL_USERNAME", fromEnvironment = "SASL_USERNAME"),
    (name = "SASL_PASSWORD", fromEnvironment = "SASL_PASSWORD"),
    (name = "CORS_ORIGINS", fromEnvironment = "CORS_ORIGINS"),
  ],
);
