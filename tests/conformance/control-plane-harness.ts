// What the conformance suite of ControlPlane needs of an implementation, and what its parts share.

import {
  type BrokerRecord,
  type ControlPlane,
  ControlPlaneError,
  type ControlPlaneFault,
} from "../../cluster/control-plane.ts";

export interface ControlPlaneHarness {
  /** Broker 1's. */
  readonly plane: ControlPlane;
  /** Another broker comes. */
  join(id: number): Promise<BrokerRecord>;
  close(): Promise<void>;
}

export type Rule = (
  title: string,
  run: (plane: ControlPlane, harness: ControlPlaneHarness) => Promise<void>,
) => void;

/** On broker 1, which may have company. */
export const one = { assignments: [[1]] };

export async function faultOf(work: Promise<unknown>): Promise<ControlPlaneFault | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (!(error instanceof ControlPlaneError)) throw error;
    return error.fault;
  }
}
