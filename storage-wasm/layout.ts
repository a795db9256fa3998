// The numbers both sides of the boundary share, as the host needs them; `assembly/layout.ts` and
// `assembly/record.ts` hold the other side's. Never renumber one side alone.

export const batchHeaderBytes = 61;

// ---- rule bits of check and scan ----
export const ruleVerifyCrc = 1;
export const ruleWalkRecords = 2;
export const ruleRequireKeys = 4;

// ---- attribute bits ----
export const attributeCodecMask = 7;
export const attributeAppendTime = 8;
export const attributeTransactional = 16;
export const attributeControl = 32;

// ---- a parsed header: f64 indexes into its row ----
export const rowBytes = 104;
export const rowSize = 0;
export const rowBaseOffset = 1;
export const rowLastOffset = 2;
export const rowLeaderEpoch = 3;
export const rowCrc = 4;
export const rowAttributes = 5;
export const rowBaseTimestamp = 6;
export const rowMaxTimestamp = 7;
export const rowProducerId = 8;
export const rowProducerEpoch = 9;
export const rowBaseSequence = 10;
export const rowCount = 11;
export const rowPosition = 12;

// ---- a record to encode: byte positions in its row ----
export const inputRowBytes = 24;
export const inputTimestamp = 0;
export const inputKeyLength = 8;
export const inputValueLength = 12;
export const inputHeaderCount = 16;

// ---- a decoded record: byte positions in its row ----
export const decodedRowBytes = 40;
export const decodedTimestamp = 0;
export const decodedOffsetDelta = 8;
export const decodedKey = 12;
export const decodedKeyLength = 16;
export const decodedValue = 20;
export const decodedValueLength = 24;
export const decodedHeaders = 28;
export const decodedHeaderCount = 32;
