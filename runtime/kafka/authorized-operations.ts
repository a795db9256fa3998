// Authorized operations (KIP-430): which operations a client may do on a resource, as a bit per operation code
// of the ACL protocol. Without an authorizer everybody may do whatever the kind of resource knows.

const codes = {
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  clusterAction: 9,
  describeConfigs: 10,
  alterConfigs: 11,
  idempotentWrite: 12,
} as const;

type Operation = keyof typeof codes;

/** What is answered to those who did not ask. */
export const notRequested = -2_147_483_648;

export const operations = {
  topic: bits([
    "read",
    "write",
    "create",
    "delete",
    "alter",
    "describe",
    "describeConfigs",
    "alterConfigs",
  ]),
  cluster: bits([
    "create",
    "alter",
    "describe",
    "clusterAction",
    "describeConfigs",
    "alterConfigs",
    "idempotentWrite",
  ]),
  group: bits(["read", "delete", "describe", "describeConfigs", "alterConfigs"]),
} as const;

function bits(allowed: readonly Operation[]): number {
  return allowed.reduce((sum, operation) => sum | (1 << codes[operation]), 0);
}
