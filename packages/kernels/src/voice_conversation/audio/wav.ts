import { GraceError } from '@grace/contracts';
import { bytesOf, samplesOf, toSample } from './pcm.ts';

export interface Sound {
  rate: number;
  samples: Int16Array;
}

const HEADER_BYTES = 44;
const PCM = 1;
const EXTENSIBLE = 0xfffe;
const RATES = { min: 8000, max: 96_000 };

/** A RIFF/WAVE file of 16-bit samples, one channel. */
export function wavOf({ rate, samples }: Sound): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  const dataBytes = samples.length * 2;
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(HEADER_BYTES - 8 + dataBytes, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(PCM, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(rate * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(dataBytes, 40);
  return Buffer.concat([header, bytesOf(samples)]);
}

/**
 * The samples of a RIFF/WAVE file of 16 bits; several channels are mixed to one. A length that is not known when the header is written, as
 * when a program writes to a pipe, means: to the end.
 * @throws GraceError `BAD_INPUT` for anything else
 */
export function readWav(file: Uint8Array): Sound {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const tag = (at: number): string => bytes.toString('latin1', at, at + 4);
  if (bytes.length < 12 || tag(0) !== 'RIFF' || tag(8) !== 'WAVE') throw wrong('no RIFF/WAVE header');
  let format: { rate: number; channels: number } | undefined;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32LE(at + 4);
    const start = at + 8;
    if (tag(at) === 'fmt ') format = readFormat(bytes, start, length);
    if (tag(at) === 'data') {
      if (!format) throw wrong('samples before their format');
      const frameBytes = format.channels * 2;
      const end = Math.min(start + length, bytes.length);
      const whole = bytes.subarray(start, end - ((end - start) % frameBytes));
      return { rate: format.rate, samples: mixed(samplesOf(whole), format.channels) };
    }
    // Chunks lie at even places.
    at = start + length + (length % 2);
  }
  throw wrong('no samples');
}

function readFormat(bytes: Buffer, start: number, length: number): { rate: number; channels: number } {
  if (length < 16 || start + 16 > bytes.length) throw wrong('a format that is cut off');
  const [kind, channels, bits] = [
    bytes.readUInt16LE(start),
    bytes.readUInt16LE(start + 2),
    bytes.readUInt16LE(start + 14),
  ];
  const rate = bytes.readUInt32LE(start + 4);
  if ((kind !== PCM && kind !== EXTENSIBLE) || bits !== 16) throw wrong(`format ${kind} with ${bits} bits`);
  if (channels < 1 || channels > 8) throw wrong(`${channels} channels`);
  if (rate < RATES.min || rate > RATES.max) throw wrong(`${rate} samples a second`);
  return { rate, channels };
}

function mixed(samples: Int16Array, channels: number): Int16Array {
  if (channels === 1) return samples;
  return Int16Array.from({ length: samples.length / channels }, (_, i) => {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += samples[i * channels + c]!;
    return toSample(sum / channels);
  });
}

function wrong(what: string): GraceError {
  return new GraceError('BAD_INPUT', `expected a WAV file of 16-bit samples, found ${what}`);
}
