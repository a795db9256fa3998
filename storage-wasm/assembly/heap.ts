// The allocator: boundary tags and free lists by power of two. Own rather than the compiler's
// runtime because it must refuse (return 0) above a limit instead of trapping, and grow by eighths
// instead of doubling.
//
// Block: u32 size incl. this header (bit 0: in use), u32 size of the block before, u32 mark, u32
// unused, payload. A free block keeps its list links (next, previous) at the start of its payload.
// Sizes are multiples of 16.

const blockHeaderBytes: u32 = 16;
const blockBytesMin: u32 = 32;
const requestBytesMax: u32 = 0x7fff0000;
const usedBit: u32 = 1;
/** Marks a block in use: a wrong or second release traps here rather than corrupting the heap. */
const usedMark: u32 = 0x7b1e57ac;
const pageBytes: u32 = 65536;
/** Blocks looked at in the list of the request's own size class before a larger class is taken. */
const firstFitSteps: u32 = 64;

const listCount: u32 = 32;
const lists: usize = memory.data(128, 16);

let bytesMax: u64 = 512 * 1024 * 1024;
/** The zero-sized block at the end of memory that is always in use. */
let sentinel: usize = 0;

/** Address of `length` bytes, a multiple of 16; 0 if the limit does not allow it. */
export function allocate(length: u32): usize {
  if (length > requestBytesMax) return 0;
  const need = max<u32>((length + blockHeaderBytes + 15) & ~15, blockBytesMin);
  let block = findFree(need);
  if (block == 0) {
    if (!grow(need)) return 0;
    block = findFree(need);
  }
  unlink(block);
  const size = sizeOf(block);
  if (size - need >= blockBytesMin) {
    setSize(block, need, usedBit);
    insertFree(block + need, size - need);
  } else {
    setSize(block, size, usedBit);
  }
  store<u32>(block, usedMark, 8);
  return block + blockHeaderBytes;
}

/** Gives a block back and joins it with free neighbours. Traps on an address that is not in use. */
export function release(at: usize): void {
  let block = at - blockHeaderBytes;
  if (at & 15 || load<u32>(block, 8) != usedMark) unreachable();
  let size = sizeOf(block);
  store<u32>(block, 0, 8);
  const after = block + size;
  if (!isUsed(after)) {
    unlink(after);
    size += sizeOf(after);
  }
  const sizeBefore = load<u32>(block, 4);
  if (sizeBefore && !isUsed(block - sizeBefore)) {
    block -= sizeBefore;
    unlink(block);
    size += sizeBefore;
  }
  insertFree(block, size);
}

/** Upper limit of the whole linear memory, bytes. What is already in use stays. */
export function limitMemory(bytes: f64): void {
  bytesMax = <u64>bytes;
}

function start(): void {
  const first = (__heap_base + 15) & ~15;
  const end = (<usize>memory.size() * pageBytes) - blockHeaderBytes;
  sentinel = end;
  store<u32>(first, 0, 4);
  setSize(end, 0, usedBit);
  insertFree(first, <u32>(end - first));
}
start();

/**
 * Adds pages at the end: an eighth of what is there, or what is needed, or, near the limit, just
 * that.
 */
function grow(need: u32): bool {
  const pagesNow = <u32>memory.size();
  const pagesMax = <u32>min<u64>(bytesMax / pageBytes, 65535);
  const pagesNeeded = (need + blockHeaderBytes + pageBytes - 1) / pageBytes;
  if (pagesNow + pagesNeeded > pagesMax) return false;
  const pages = min<u32>(max<u32>(pagesNeeded, pagesNow >> 3), pagesMax - pagesNow);
  if (memory.grow(pages) < 0) {
    if (pages == pagesNeeded || memory.grow(pagesNeeded) < 0) return false;
  }
  const block = sentinel;
  const end = (<usize>memory.size() * pageBytes) - blockHeaderBytes;
  sentinel = end;
  setSize(end, 0, usedBit);
  setSize(block, <u32>(end - block), usedBit);
  store<u32>(block, usedMark, 8);
  release(block + blockHeaderBytes);
  return true;
}

function findFree(need: u32): usize {
  const own = listOf(need);
  let block: usize = load<u32>(lists + (own << 2));
  for (let i: u32 = 0; block != 0 && i < firstFitSteps; i++) {
    if (sizeOf(block) >= need) return block;
    block = load<u32>(block, blockHeaderBytes);
  }
  for (let list = own + 1; list < listCount; list++) {
    const head = load<u32>(lists + (list << 2));
    if (head != 0) return head;
  }
  return 0;
}

function insertFree(block: usize, size: u32): void {
  setSize(block, size, 0);
  const list = lists + (listOf(size) << 2);
  const head: usize = load<u32>(list);
  store<u32>(block, <u32>head, 16);
  store<u32>(block, 0, 20);
  if (head) store<u32>(head, <u32>block, 20);
  store<u32>(list, <u32>block);
}

function unlink(block: usize): void {
  const next: usize = load<u32>(block, 16);
  const previous: usize = load<u32>(block, 20);
  if (next) store<u32>(next, <u32>previous, 20);
  if (previous) store<u32>(previous, <u32>next, 16);
  else store<u32>(lists + (listOf(sizeOf(block)) << 2), <u32>next);
}

/** Writes the size here and into the neighbour that follows. */
function setSize(block: usize, size: u32, used: u32): void {
  store<u32>(block, size | used);
  if (size) store<u32>(block + size, size, 4);
}

// @ts-ignore: decorator
@inline
function sizeOf(block: usize): u32 {
  return load<u32>(block) & ~15;
}

// @ts-ignore: decorator
@inline
function isUsed(block: usize): bool {
  return (load<u32>(block) & usedBit) != 0;
}

// @ts-ignore: decorator
@inline
function listOf(size: u32): u32 {
  return 31 - clz<u32>(size);
}
