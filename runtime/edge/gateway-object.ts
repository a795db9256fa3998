// GatewayObject: a gateway in one Durable Object, which holds the connections to the upstream: a Worker's own would
// end with the request that opened them. It keeps nothing, and connects again after a rest.

import { BrokerError } from "../errors.ts";
import { createGateway, type Gateway } from "../gateway/gateway.ts";
import { createPlatform, UseCount } from "../platforms/workerd.ts";
import { Log } from "../telemetry/logger.ts";
import { endingWith, refusal } from "./lasting-answer.ts";
import type { Variables } from "./object-start.ts";

/** Without requests for so long it gives its connections up, and can be taken out of memory. */
const idleMs = 5_000;

const mechanisms = ["plain", "scram-sha-256", "scram-sha-512"] as const;

export class GatewayObject {
  readonly #variables: Variables;
  readonly #platform = createPlatform();
  readonly #uses: UseCount;
  #gateway: Promise<Gateway> | undefined;

  constructor(_ctx: unknown, variables: Variables) {
    this.#variables = variables;
    const { clock } = this.#platform;
    this.#uses = new UseCount({
      idleMs,
      idle: () => this.#rest(),
      busy: () => clock.wake(),
    });
  }

  async fetch(request: Request): Promise<Response> {
    this.#uses.enter();
    try {
      this.#gateway ??= this.#open();
      const response = await (await this.#gateway).fetch(request, {});
      return endingWith(response, () => this.#uses.leave());
    } catch (error) {
      this.#gateway = undefined;
      this.#uses.leave();
      return refusal(error);
    }
  }

  #open(): Promise<Gateway> {
    const { clock } = this.#platform;
    const write = (line: string) => console.error(line.trimEnd());
    const logger = new Log({ clock, level: "info", format: "text", write }).logger();
    return createGateway({ platform: this.#platform, logger, ...optionsOf(this.#variables) });
  }

  #rest(): void {
    this.#gateway?.then((gateway) => gateway.close()).catch(() => {});
    this.#gateway = undefined;
    this.#platform.clock.rest();
  }
}

/** Variables and secrets of the Worker. Throws INVALID_CONFIG. */
function optionsOf(variables: Variables) {
  const text = (name: string) => {
    const value = variables[name];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const bootstrap = text("BOOTSTRAP");
  if (bootstrap === undefined) {
    throw new BrokerError("INVALID_CONFIG", "set the variable BOOTSTRAP to host:port,… of brokers");
  }
  const origins = text("CORS_ORIGINS")?.split(",");
  return {
    bootstrap: bootstrap.split(","),
    tls: text("TLS") === "true",
    ...(origins === undefined ? {} : { corsOrigins: origins }),
    ...saslOf(text("SASL_MECHANISM"), text("SASL_USERNAME"), text("SASL_PASSWORD")),
  };
}

function saslOf(name: string | undefined, username: string | undefined, password?: string) {
  if (name === undefined) return {};
  const mechanism = mechanisms.find((each) => each === name.toLowerCase());
  if (mechanism !== undefined && username !== undefined && password !== undefined) {
    return { sasl: { mechanism, username, password } };
  }
  const what = `SASL_MECHANISM is one of ${mechanisms.join(", ")}, beside SASL_USERNAME and`;
  throw new BrokerError("INVALID_CONFIG", `${what} the secret SASL_PASSWORD`);
}
