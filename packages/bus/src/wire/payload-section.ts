import { deserialize } from 'node:v8';

/**
 * On sockets the payloads of a frame stay encoded until somebody needs them: a frame that is refused as a whole costs no decoding.
 * Views into the frame are copied out, so that no payload keeps the whole frame alive.
 */
export function openPayloads(section: unknown[] | Uint8Array): unknown[] {
  if (!(section instanceof Uint8Array)) return section;
  const payloads = deserialize(section) as unknown[];
  for (let i = 0; i < payloads.length; i++) {
    const payload = payloads[i];
    if (payload instanceof Uint8Array) payloads[i] = new Uint8Array(payload);
  }
  return payloads;
}
