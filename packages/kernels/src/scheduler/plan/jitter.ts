/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    value ^= text.charCodeAt(i);
    value = Math.imul(value, 0x01000193);
  }
  // One more round of mixing: neighbouring due times differ only in their last digits.
  value ^= value >>> 15;
  value = Math.imul(value, 0x2c1b3c6d);
  return (value ^ (value >>> 12)) >>> 0;
}

/** How long after its due time a run starts: 0 to `jitterMs`, the same each time for one job and due time. */
export function jitter(job: string, dueMs: number, jitterMs: number): number {
  return jitterMs === 0 ? 0 : hash(`${job} ${dueMs}`) % (jitterMs + 1);
}
