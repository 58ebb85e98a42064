import { GraceError } from '@grace/contracts';
import { FORM_BITS, FORM_SHIFT, MOVED_BIT } from './frames.ts';

type View = new (buffer: ArrayBuffer) => ArrayBufferView;

/** What a payload that is one whole buffer is, by its number in the flags of the message; 0: it is no such payload. Numbers never change. */
const FORMS: readonly (View | typeof ArrayBuffer | null)[] = [
  null,
  ArrayBuffer,
  Uint8Array,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
  Buffer as unknown as View,
];

/**
 * The form of a payload that is one of these buffers, all of it; 0 for any other.
 * @throws GraceError `BAD_INPUT` when `transfer` is no list of buffers
 */
export function formOf(payload: unknown, transfer: readonly ArrayBuffer[]): number {
  for (const buffer of transfer) {
    if (!(buffer instanceof ArrayBuffer))
      throw new GraceError('BAD_INPUT', 'transfer: expected ArrayBuffers; nothing else can be given away on the bus');
  }
  const buffer = ArrayBuffer.isView(payload) ? payload.buffer : payload;
  if (!(buffer instanceof ArrayBuffer) || buffer.resizable || !transfer.includes(buffer)) return 0;
  if (ArrayBuffer.isView(payload) && payload.byteLength !== buffer.byteLength) return 0;
  const { constructor: kind } = payload as object;
  return Math.max(0, FORMS.indexOf(kind as View)) << FORM_SHIFT;
}

/**
 * Takes the buffers away from the sender: from here on they are empty for it, whatever becomes of the message. Returns the bytes of `payload`
 * when it is one of them.
 * @throws GraceError `BAD_INPUT` for a buffer that is given twice, was given before, or is Node's own; then none is taken
 */
export function take(payload: unknown, transfer: readonly ArrayBuffer[]): Uint8Array | null {
  const buffer = ArrayBuffer.isView(payload) ? payload.buffer : payload;
  const at = transfer.indexOf(buffer as ArrayBuffer);
  try {
    const moved = structuredClone(transfer, { transfer: [...transfer] });
    return at === -1 ? null : new Uint8Array(moved[at]!);
  } catch (error) {
    throw new GraceError('BAD_INPUT', `transfer: ${(error as Error).message}`);
  }
}

/** The payload of a message whose flags say that it is one whole buffer; undefined when they do not. */
export function readWhole(bytes: Uint8Array, flags: number): unknown {
  const form = FORMS[(flags & FORM_BITS) >> FORM_SHIFT];
  if (!form) return undefined;
  // What came as a copy may have come to two handlers of one client.
  const isOwn = (flags & MOVED_BIT) !== 0 && bytes.byteLength === bytes.buffer.byteLength;
  const buffer = isOwn ? (bytes.buffer as ArrayBuffer) : new Uint8Array(bytes).buffer;
  if (form === ArrayBuffer) return buffer;
  return form === (Buffer as unknown) ? Buffer.from(buffer) : new (form as View)(buffer);
}
