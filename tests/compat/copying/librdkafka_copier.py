# Copies what its group gives it with librdkafka (the confluent-kafka wheel) until it is killed: records and offsets
# in one transaction, fenced by the group's generation (KIP-447).

import sys
from confluent_kafka import Consumer, Producer, TopicPartition

ANSWER_S = 15
BATCH_RECORDS = 20
POLL_S = 0.2
bootstrap, topic, output, group, transactional_id = sys.argv[1:6]
common = {
    "bootstrap.servers": bootstrap,
    "reconnect.backoff.max.ms": 500,
    "log_level": 0,
    # Starting anew from the bootstrap list, as 2.16 does when the only broker is gone, it loses the request for the
    # group's coordinator, and send_offsets_to_transaction never returns, whatever its time limit.
    "metadata.recovery.strategy": "none",
}
consumer = Consumer(
    {
        **common,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 500,
    }
)
producer = Producer({**common, "transactional.id": transactional_id, "linger.ms": 1})


def copy(messages):
    producer.begin_transaction()
    ends = {}
    for message in messages:
        partition = message.partition()
        producer.produce(output, message.value(), partition=partition)
        ends[partition] = TopicPartition(topic, partition, message.offset() + 1)
    metadata = consumer.consumer_group_metadata()
    producer.send_offsets_to_transaction(list(ends.values()), metadata, ANSWER_S)
    producer.commit_transaction(ANSWER_S)


# Without a way back: what fails is done again by the copier that comes next.
producer.init_transactions(ANSWER_S)
consumer.subscribe([topic])
while True:
    messages = [each for each in consumer.consume(BATCH_RECORDS, POLL_S) if not each.error()]
    if messages:
        copy(messages)
