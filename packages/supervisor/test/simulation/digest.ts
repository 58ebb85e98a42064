import type { Command } from '../../src/core/events.ts';

/** One number for everything a core ordered, and when: FNV-1a over it. The same decisions give the same number. */
export class Digest {
  value = 0x811c9dc5;

  add(atMs: number, command: Command): void {
    const text = `${atMs} ${JSON.stringify(command)}`;
    let hash = this.value;
    for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
    this.value = hash >>> 0;
  }
}
