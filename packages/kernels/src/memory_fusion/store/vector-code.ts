/** Bytes in front of the codes: the scale, a 32-bit float. */
const SCALE_BYTES = 4;

/** A vector as it is stored: its scale, then each number as a signed byte. Of a unit vector the cosine is off by less than 0.01. */
export function encodeVector(vector: Float32Array): Uint8Array {
  let largest = 0;
  for (const value of vector) largest = Math.max(largest, Math.abs(value));
  const stored = new Uint8Array(SCALE_BYTES + vector.length);
  new DataView(stored.buffer).setFloat32(0, largest / 127, true);
  if (largest === 0) return stored;
  const codes = new Int8Array(stored.buffer, SCALE_BYTES);
  for (let i = 0; i < vector.length; i++) codes[i] = Math.round((vector[i]! * 127) / largest);
  return stored;
}

export interface VectorCode {
  scale: number;
  codes: Int8Array;
}

/** Undefined for what is no vector of this dimension. */
export function decodeVector(stored: Uint8Array, dimension: number): VectorCode | undefined {
  if (stored.byteLength !== SCALE_BYTES + dimension) return undefined;
  return {
    scale: new DataView(stored.buffer, stored.byteOffset).getFloat32(0, true),
    codes: new Int8Array(stored.buffer, stored.byteOffset + SCALE_BYTES, dimension),
  };
}
