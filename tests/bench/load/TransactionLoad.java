// Kafka's own Java producer, writing transactions one after the other: BOOTSTRAP TOPIC TRANSACTIONS RECORDS BYTES,
// with so many records of so many bytes in each. Says how many seconds it took, after a tenth of them to warm up.

import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public final class TransactionLoad {
  public static void main(String[] args) {
    String topic = args[1];
    int transactions = Integer.parseInt(args[2]);
    int records = Integer.parseInt(args[3]);
    byte[] value = new byte[Integer.parseInt(args[4])];
    for (int i = 0; i < value.length; i++) value[i] = (byte) (32 + (i * 31) % 90);
    Map<String, Object> settings = Map.of(
        "bootstrap.servers", args[0],
        "transactional.id", topic,
        "key.serializer", ByteArraySerializer.class.getName(),
        "value.serializer", ByteArraySerializer.class.getName());
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings)) {
      producer.initTransactions();
      run(producer, new ProducerRecord<>(topic, value), transactions / 10, records);
      long startedNs = System.nanoTime();
      run(producer, new ProducerRecord<>(topic, value), transactions, records);
      System.out.println("seconds " + (System.nanoTime() - startedNs) / 1e9);
    }
  }

  private static void run(
      KafkaProducer<byte[], byte[]> producer,
      ProducerRecord<byte[], byte[]> record,
      int transactions,
      int records) {
    for (int done = 0; done < transactions; done++) {
      producer.beginTransaction();
      for (int i = 0; i < records; i++) producer.send(record);
      producer.commitTransaction();
    }
  }
}
