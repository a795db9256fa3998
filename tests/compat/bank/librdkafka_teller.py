# A teller of the bank that writes with librdkafka (the confluent-kafka wheel): see `teller.ts` for what it is told
# and what it answers.

import sys
from confluent_kafka import Producer

ANSWER_S = 15
bootstrap, transactional_id, timeout_ms = sys.argv[1:4]


def say(text):
    print(" ".join(str(text).split()), flush=True)


def leave(why):
    say(why)
    sys.exit(1)


def next_line():
    return sys.stdin.readline().strip()


producer = Producer(
    {
        "bootstrap.servers": bootstrap,
        "transactional.id": transactional_id,
        "transaction.timeout.ms": int(timeout_ms),
        "reconnect.backoff.max.ms": 500,
        "linger.ms": 1,
        "logger": None,
        "log_level": 0,
    }
)


def transfer(line):
    number, end, *legs = line.split(" ")
    failed = []
    try:
        producer.begin_transaction()
        for leg in legs:
            topic, partition, key, amount = leg.split(":")
            producer.produce(
                topic,
                key=key,
                value=f"{number} {amount}",
                partition=int(partition),
                on_delivery=lambda error, _: error and failed.append(error),
            )
        if producer.flush(ANSWER_S) > 0 or failed:
            raise RuntimeError(f"not delivered: {failed}")
        if end == "hold":
            say(f"held {number}")
            if not next_line():
                sys.exit(0)
    except Exception as error:
        try:
            producer.abort_transaction(ANSWER_S)
        except Exception:
            pass
        leave(f"lost {number} {error}")
    try:
        if end == "abort":
            producer.abort_transaction(ANSWER_S)
        else:
            producer.commit_transaction(ANSWER_S)
    except Exception as error:
        leave(f"{'lost' if end == 'abort' else 'unknown'} {number} {error}")
    say(f"{'aborted' if end == 'abort' else 'committed'} {number}")


producer.init_transactions(ANSWER_S)
say("ready")
while line := next_line():
    transfer(line)
