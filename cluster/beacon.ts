// The controller's beacon: a signal to all members that it lives, or that it leaves. Signals may get lost; they only
// ever spare a takeover or hasten one.

export interface Beacon {
  readonly clusterId: string;
  readonly controllerId: number;
  readonly controllerEpoch: number;
  readonly isLeaving: boolean;
  /** It lives, but hears too few to decide about the others: whoever hears more should take its place. */
  readonly isDoubting?: boolean;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeBeacon(beacon: Beacon): Uint8Array {
  return encoder.encode(JSON.stringify({ beacon }));
}

/** Undefined for what is no beacon: others may use the same service. */
export function decodeBeacon(bytes: Uint8Array): Beacon | undefined {
  try {
    const { beacon: plain } = JSON.parse(decoder.decode(bytes)) as { beacon?: Partial<Beacon> };
    const { clusterId, controllerId, controllerEpoch, isLeaving, isDoubting } = plain ?? {};
    if (typeof clusterId !== "string" || typeof isLeaving !== "boolean") return undefined;
    if (typeof controllerId !== "number" || typeof controllerEpoch !== "number") return undefined;
    const beacon = { clusterId, controllerId, controllerEpoch, isLeaving };
    return { ...beacon, isDoubting: isDoubting === true };
  } catch {
    return undefined;
  }
}
