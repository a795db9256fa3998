# A member of the storm that reads with librdkafka (the confluent-kafka wheel): see `member.ts` for what it is told
# and `history.ts` for what it writes down. Exits with 3 when the client gives up.

import json
import os
import signal
import sys
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

RECORDS_MAX = 500
POLL_S = 0.1
GAVE_UP = 3
seat = json.loads(sys.argv[1])
history = os.open(seat["path"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
held = set()
runs = {}
done = {}
stopping = False


def now_ms():
    return int(time.time() * 1000)


def write(event):
    os.write(history, (json.dumps(event) + "\n").encode())


def flush():
    for partition, (at_ms, first, end) in runs.items():
        write({"kind": "read", "atMs": at_ms, "partition": partition, "from": first, "to": end})
    runs.clear()


def holds():
    flush()
    write(
        {
            "kind": "holds",
            "atMs": now_ms(),
            "memberId": consumer.memberid() or "",
            "generation": None,
            "partitions": sorted(held),
        }
    )


def read(partition, offset):
    run = runs.get(partition)
    if run is not None and run[2] != offset:
        flush()
        run = None
    if run is None:
        runs[partition] = [now_ms(), offset, offset + 1]
    else:
        run[2] = offset + 1
    done[partition] = offset + 1


def commit():
    flush()
    if not done:
        return
    offsets = [TopicPartition(seat["topic"], partition, end) for partition, end in done.items()]
    sent_ms = now_ms()
    try:
        answers = consumer.commit(offsets=offsets, asynchronous=False)
    except KafkaException:
        return  # A rebalance came between: what is not committed is read again.
    pairs = [[each.partition, each.offset] for each in answers if each.error is None]
    write({"kind": "committed", "atMs": now_ms(), "sentMs": sent_ms, "offsets": pairs})


def assigned(_, partitions):
    for each in partitions:
        held.add(each.partition)
        done.pop(each.partition, None)
    holds()


def gone(partitions):
    for each in partitions:
        held.discard(each.partition)
        done.pop(each.partition, None)
    holds()


def revoked(_, partitions):
    commit()
    gone(partitions)


def lost(_, partitions):
    gone(partitions)


def stop(*_):
    global stopping
    stopping = True


signal.signal(signal.SIGTERM, stop)
settings = {
    "bootstrap.servers": seat["bootstrap"],
    "group.id": seat["group"],
    "group.protocol": seat["protocol"],
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "max.poll.interval.ms": seat["rebalanceMs"],
    "fetch.wait.max.ms": 200,
}
if seat["protocol"] == "classic":
    settings["session.timeout.ms"] = seat["sessionMs"]
    settings["heartbeat.interval.ms"] = seat["heartbeatMs"]
if seat["instanceId"] is not None:
    settings["group.instance.id"] = seat["instanceId"]
consumer = Consumer(settings)
consumer.subscribe([seat["topic"]], on_assign=assigned, on_revoke=revoked, on_lost=lost)
committed_s = time.monotonic()
while not stopping:
    for message in consumer.consume(RECORDS_MAX, POLL_S):
        error = message.error()
        if error is None:
            read(message.partition(), message.offset())
        elif error.fatal():
            print(error, file=sys.stderr)
            sys.exit(GAVE_UP)
    if time.monotonic() - committed_s >= seat["commitMs"] / 1000:
        commit()
        committed_s = time.monotonic()
commit()
consumer.close()
