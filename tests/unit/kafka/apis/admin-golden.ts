// Bytes of `admin-messages.ts` as Kafka 4.1's own classes read and write them: the last version before flexible
// ones and the highest. Headers are not part of them.

export interface Golden {
  readonly version: number;
  readonly request: string;
  readonly response: string;
}

export const golden: Readonly<Record<string, readonly Golden[]>> = {
  CreateTopics: [
    {
      version: 4,
      request: `
        00000001000174ffffffffffff00000001000000000000000200000001000000020000000200016b0001
        7600016effff000003e801`,
      response: "00000005000000020001740000ffff000175002400057468657265",
    },
    {
      version: 7,
      request: "020274ffffffffffff02000000000300000001000000020003026b027600026e000000000003e80100",
      response: `
        000000050302740102030405060708090a0b0c0d0e0f1000000000000003000203026b02760105000002
        730000010100010002001d02750102030405060708090a0b0c0d0e0f100024067468657265ffffffffff
        ff000000`,
    },
  ],
  DeleteTopics: [
    {
      version: 3,
      request: "00000002000174000175000003e8",
      response: "00000005000000010001740003",
    },
    {
      version: 6,
      request: `
        0302740102030405060708090a0b0c0d0e0f1000000102030405060708090a0b0c0d0e0f1000000003e8
        00`,
      response: "000000050202740102030405060708090a0b0c0d0e0f10000305676f6e650000",
    },
  ],
  DeleteRecords: [
    {
      version: 1,
      request: "000000010001740000000100000001000000012a05f200000003e8",
      response: "00000005000000010001740000000100000001ffffffffffffffff0001",
    },
    {
      version: 2,
      request: "0202740200000001000000012a05f2000000000003e800",
      response: "000000050202740200000001ffffffffffffffff0001000000",
    },
  ],
  InitProducerId: [
    {
      version: 1,
      request: "ffff0000ea60",
      response: "00000005000000000001000000010004",
    },
    {
      version: 5,
      request: "000000ea600000000000000007000300",
      response: "0000000500000000000100000001000400",
    },
  ],
  DescribeConfigs: [
    {
      version: 3,
      request: "00000002020001740000000100016b040000ffffffff0101",
      response: `
        00000005000000010000ffff020001740000000100016b0001760001000000000100056c6f672e6bffff
        05070003776879`,
    },
    {
      version: 4,
      request: "0302027402026b0004010000010100",
      response: "000000050200000002027402026b027600010002066c6f672e6b0005000704776879000000",
    },
  ],
  AlterConfigs: [
    {
      version: 1,
      request: "00000001020001740000000100016bffff01",
      response: "0000000500000001002a00026e6f04000131",
    },
    {
      version: 2,
      request: "0202027402026b0000000100",
      response: "0000000502002a036e6f0402310000",
    },
  ],
  DescribeLogDirs: [
    {
      version: 1,
      request: "00000001000174000000020000000000000007",
      response: `
        0000000500000001000000022f6400000001000174000000010000000700000000000000630000000000
        00000000`,
    },
    {
      version: 4,
      request: "0202740300000000000000070000",
      response: `
        000000050000020000032f64020274020000000700000000000000630000000000000000000000000000
        e8d4a51000ffffffffffffffff0000`,
    },
  ],
  CreatePartitions: [
    {
      version: 1,
      request: "000000020001740000000300000001000000010000000100017500000004ffffffff000003e800",
      response: "0000000500000001000174002500026e6f",
    },
    {
      version: 3,
      request: "0302740000000302020000000100000275000000040000000003e80000",
      response: "000000050202740025036e6f0000",
    },
  ],
  IncrementalAlterConfigs: [
    {
      version: 0,
      request: "00000001040001310000000100016b0200017600",
      response: "0000000500000001002a00026e6f04000131",
    },
    {
      version: 1,
      request: "0204023102026b02027600000000",
      response: "0000000502002a036e6f0402310000",
    },
  ],
  DescribeCluster: [
    {
      version: 2,
      request: "01010100",
      response: "000000050000000102630000000102000000010268000023840272010000001fa000",
    },
  ],
  DescribeProducers: [
    {
      version: 0,
      request: "0202740300000000000000010000",
      response: `
        00000005020274020000000000000002000000000000000700000002000000290000018bcfe56800ffff
        ffffffffffffffffffff00000000`,
    },
  ],
  ListConfigResources: [
    {
      version: 1,
      request: "03020400",
      response: "000000050000020274020000",
    },
  ],
  DescribeTopicPartitions: [
    {
      version: 0,
      request: "020274000000000a010274000000040000",
      response: `
        0000000502000002740102030405060708090a0b0c0d0e0f100002000000000004000000010000000903
        0000000100000002020000000102000000020002000000020000000df800ff00`,
    },
  ],
};
