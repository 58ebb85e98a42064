const WORD = 4;

/**
 * The data with what tells whether it is whole: the digest of what it was made from, and a sum. V8 ends the process over damaged data, so no bit
 * of it may have changed. A sum of words in JavaScript costs 2 ms for each MB; Node's own would first load more than that.
 */
export function seal(data: Buffer, digest: string): Buffer {
  const sealed = Buffer.concat([data, Buffer.from(digest, 'latin1'), Buffer.alloc(WORD)]);
  sealed.writeUInt32LE(sum(sealed, sealed.length - WORD), sealed.length - WORD);
  return sealed;
}

/** The data of a sealed buffer; undefined when it was made from something else, or is not whole. */
export function open(sealed: Buffer, digest: string): Buffer | undefined {
  const end = sealed.length - WORD;
  const data = end - digest.length;
  if (data <= 0 || sealed.toString('latin1', data, end) !== digest) return undefined;
  return sealed.readUInt32LE(end) === sum(sealed, end) ? sealed.subarray(0, data) : undefined;
}

/** Each step can be undone (31 is odd), so a change of one word always changes the sum. */
function sum(bytes: Buffer, end: number): number {
  const { buffer, byteOffset } = onWords(bytes);
  const words = new Uint32Array(buffer, byteOffset, Math.floor(end / WORD));
  let found = end;
  for (let i = 0; i < words.length; i++) found = (Math.imul(found, 31) + words[i]!) | 0;
  for (let at = words.length * WORD; at < end; at++) found = (Math.imul(found, 31) + bytes[at]!) | 0;
  return found >>> 0;
}

/** A view of words must begin at a whole one; small buffers lie anywhere in a shared one. */
function onWords(bytes: Buffer): { buffer: ArrayBufferLike; byteOffset: number } {
  if (bytes.byteOffset % WORD === 0) return bytes;
  const { buffer } = new Uint8Array(bytes);
  return { buffer, byteOffset: 0 };
}
