// The controller's beacon: a signal to all members that it lives, or that it leaves. Signals may get lost; they only
// ever spare a takeover or hasten one.

export interface Beacon {
  readonly clusterId: string;
  readonly controllerId: number;
  readonly controllerEpoch: number;
  readonly isLeaving: boolean;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeBeacon(beacon: Beacon): Uint8Array {
  return encoder.encode(JSON.stringify({ beacon }));
}

/** Undefined for what is no beacon: others may use the same service. */
export function decodeBeacon(bytes: Uint8Array): Beacon | undefined {
  try {
    const { beacon } = JSON.parse(decoder.decode(bytes)) as { beacon?: Partial<Beacon> };
    const { clusterId, controllerId, controllerEpoch, isLeaving } = beacon ?? {};
    if (typeof clusterId !== "string" || typeof isLeaving !== "boolean") return undefined;
    if (typeof controllerId !== "number" || typeof controllerEpoch !== "number") return undefined;
    return { clusterId, controllerId, controllerEpoch, isLeaving };
  } catch {
    return undefined;
  }
}
