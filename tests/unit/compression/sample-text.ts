// The text whose packed forms, made by the reference tools, stand in the tests of this folder.

const words = "log offset partition broker leader segment ärger 日本 batch record".split(" ");

/** 200 words in an order that never changes. */
export function sampleText(): string {
  let state = 1;
  const next = (): string => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return words[Math.floor((state / 2 ** 32) * words.length)]!;
  };
  return Array.from({ length: 200 }, next).join(" ");
}
