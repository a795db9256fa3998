// The modules that only workerd resolves, as far as they are used here: a compiled WebAssembly file, and TCP.

declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

declare module "cloudflare:sockets" {
  export function connect(
    address: { hostname: string; port: number },
    options?: { allowHalfOpen?: boolean; secureTransport?: "off" | "on" },
  ): import("./workerd-sockets.ts").StreamSocket;
}
