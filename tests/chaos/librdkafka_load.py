# librdkafka in a run of faults: an idempotent producer with acks=all and the only member of a group, until SIGTERM.
# Writes what happens as lines of JSON on stdout: see `librdkafka-load.ts`.

import json
import signal
import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

told = json.loads(sys.argv[1])
stopping = False
sent = 0
acks = []
failed = []
session = 0
done = {}
UNDER_WAY_MAX = 300
FLUSH_S = 60


def stop(*_):
    global stopping
    stopping = True


def write(**said):
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def delivered(number):
    def report(error, message):
        if error is None:
            # None: it was acknowledged as a duplicate.
            acks.append([number, -1 if message.offset() is None else message.offset()])
        else:
            failed.append([number, str(error)])

    return report


def tell():
    global acks, failed
    write(sent=sent, acks=acks, failed=failed)
    acks = []
    failed = []


def assigned(_, partitions):
    global session
    session += 1
    done.clear()


def gone(_, partitions):
    done.clear()


def read():
    polls = {}
    for message in consumer.consume(500, 0.005):
        if message.error() is not None:
            write(error=str(message.error()))
            continue
        pair = [message.offset(), message.value().decode()]
        polls.setdefault(message.partition(), []).append(pair)
        done[message.partition()] = message.offset() + 1
    if polls:
        write(session=session, polls=list(polls.items()))


def commit():
    if not done:
        return
    offsets = [TopicPartition(told["topic"], partition, end) for partition, end in done.items()]
    try:
        answers = consumer.commit(offsets=offsets, asynchronous=False)
    except KafkaException as error:
        write(error=str(error))
        return
    write(commits=[[each.partition, each.offset] for each in answers if each.error is None])


signal.signal(signal.SIGTERM, stop)
limits = {"socket.timeout.ms": 5000, "request.timeout.ms": 5000}
producer = Producer(
    {
        "bootstrap.servers": told["bootstrap"],
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 1,
        **({} if told.get("isDefault") else limits),
    }
)
consumer = Consumer(
    {
        "bootstrap.servers": told["bootstrap"],
        "group.id": "rdgroup",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "session.timeout.ms": 10000,
        "heartbeat.interval.ms": 1000,
        "socket.timeout.ms": 10000,
        "fetch.wait.max.ms": 100,
    }
)
consumer.subscribe([told["topic"]], on_assign=assigned, on_revoke=gone, on_lost=gone)
next_send_s = time.monotonic()
next_commit_s = next_send_s
while not stopping:
    if time.monotonic() >= next_send_s and len(producer) < UNDER_WAY_MAX:
        next_send_s = time.monotonic() + told["pauseMs"] / 1000
        for partition in range(told["partitions"]):
            value = f"{told['name']}:{sent}"
            producer.produce(
                told["topic"], value, told["name"], partition, on_delivery=delivered(sent)
            )
            sent += 1
    producer.poll(0)
    read()
    tell()
    if time.monotonic() >= next_commit_s:
        commit()
        next_commit_s = time.monotonic() + 0.5
producer.flush(FLUSH_S)
tell()
consumer.close()
