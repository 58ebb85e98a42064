/** What sessions speak: 16-bit little-endian samples of one channel. */
export const AUDIO = { format: 'pcm16le', rate: 16_000, channels: 1 } as const;
export const BYTES_PER_MS = (AUDIO.rate * 2) / 1000;

/** Samples of little-endian bytes, whatever their alignment; a last odd byte is left out. */
export function samplesOf(bytes: Uint8Array): Int16Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Int16Array.from({ length: bytes.byteLength >> 1 }, (_, i) => view.getInt16(i * 2, true));
}

export function bytesOf(samples: Int16Array): Buffer {
  const bytes = Buffer.allocUnsafe(samples.length * 2);
  samples.forEach((sample, i) => void bytes.writeInt16LE(sample, i * 2));
  return bytes;
}

export function toSample(value: number): number {
  return Math.max(-32_768, Math.min(32_767, Math.round(value)));
}
