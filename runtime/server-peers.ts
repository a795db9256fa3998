// What a server needs of other brokers, in one module: loaded only by one that is part of a cluster.

export { kafkaLinks } from "./replication/kafka-link.ts";
export { brokerAsker, PeerConnections } from "./replication/peers.ts";
export { RoutedBroker } from "./router/routed-broker.ts";
export { OwnMembership } from "./server-membership.ts";
