// A teller of the bank that writes with Kafka's own Java client, which speaks transaction protocol V2 (KIP-890):
// see `teller.ts` for what it is told and what it answers.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;

public final class JavaTeller {
  private static final String STRINGS = "org.apache.kafka.common.serialization.StringSerializer";
  private static final String ANSWER_MS = "15000";

  private final BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
  private final KafkaProducer<String, String> producer;

  private JavaTeller(String bootstrap, String transactionalId, String timeoutMs) {
    producer = new KafkaProducer<>(Map.of(
        "bootstrap.servers", bootstrap,
        "transactional.id", transactionalId,
        "transaction.timeout.ms", timeoutMs,
        "max.block.ms", ANSWER_MS,
        "delivery.timeout.ms", ANSWER_MS,
        "request.timeout.ms", "5000",
        "reconnect.backoff.max.ms", "500",
        "key.serializer", STRINGS,
        "value.serializer", STRINGS));
  }

  public static void main(String[] args) throws Exception {
    JavaTeller teller = new JavaTeller(args[0], args[1], args[2]);
    teller.producer.initTransactions();
    System.out.println("ready");
    for (String line = teller.lines.readLine(); line != null; line = teller.lines.readLine()) {
      teller.transfer(line.split(" "));
    }
    teller.producer.close(Duration.ZERO);
  }

  private void transfer(String[] words) throws Exception {
    String id = words[0];
    String end = words[1];
    try {
      producer.beginTransaction();
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      for (int i = 2; i < words.length; i++) sent.add(producer.send(record(id, words[i].split(":"))));
      for (Future<RecordMetadata> one : sent) one.get();
      if (end.equals("hold")) {
        System.out.println("held " + id);
        if (lines.readLine() == null) System.exit(0);
      }
    } catch (Exception error) {
      try {
        producer.abortTransaction();
      } catch (Exception alsoFailed) {
        error.addSuppressed(alsoFailed);
      }
      leave("lost " + id + " " + error);
    }
    end(id, end.equals("abort"));
  }

  private void end(String id, boolean isAbort) {
    try {
      if (isAbort) producer.abortTransaction();
      else producer.commitTransaction();
      System.out.println((isAbort ? "aborted " : "committed ") + id);
    } catch (Exception error) {
      leave((isAbort ? "lost " : "unknown ") + id + " " + error);
    }
  }

  private static ProducerRecord<String, String> record(String id, String[] leg) {
    return new ProducerRecord<>(leg[0], Integer.valueOf(leg[1]), leg[2], id + " " + leg[3]);
  }

  private static void leave(String why) {
    System.out.println(why.replace('\n', ' '));
    System.exit(1);
  }
}
