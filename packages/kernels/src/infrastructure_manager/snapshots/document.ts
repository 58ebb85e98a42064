import { is } from '@grace/kernel-sdk';
import { sha256 } from './chunks.ts';
import type { Group, Skipped } from './places.ts';

/** One file as it was. */
export interface Item {
  /** `state/scheduler/store.sqlite`, `config/configs/acl.yaml`, `artefact/model`, ... */
  item: string;
  group: Group;
  /** `database`: taken by SQLite itself, consistent under a living writer. `file`: its bytes. */
  kind: 'database' | 'file';
  bytes: number;
  mode: number;
  mtimeMs: number;
  sha256: string;
  /** Hashes of its pieces, in order. */
  chunks: string[];
}

export interface Snapshot {
  format: 1;
  /** `snap-<number>`; numbers grow and are never used again. */
  id: string;
  takenMs: number;
  by: string;
  note: string;
  items: Item[];
  /** What was found and not taken, and why. */
  skipped: Skipped[];
}

/** The file of a snapshot: one line, and the hash of the document in it. */
export function writeDocument(snapshot: Snapshot): string {
  const text = JSON.stringify(snapshot);
  return `${JSON.stringify({ checksum: sha256(text) }).slice(0, -1)},"snapshot":${text}}\n`;
}

/** Names of items and of the folders they lie in: never a way up. */
export const ITEM_PATTERN = /^(?:state|config|artefact)(?:\/(?!\.{1,2}(?:\/|$))[^/\0]+)*\/?$/;
const HASH = /^[0-9a-f]{64}$/;
const hash = is.string({ pattern: HASH });
const whole = is.number({ min: 0, integer: true });

/**
 * @throws Error saying what is wrong with the text; a document that is cut off or changed in any byte is refused
 */
export function readDocument(text: string, id: string): Snapshot {
  const head = /^\{"checksum":"([0-9a-f]{64})","snapshot":(.*)\}\n$/s.exec(text);
  if (!head) throw new Error('the manifest is cut off, or is none');
  if (sha256(head[2]!) !== head[1]) throw new Error('the manifest does not match its checksum');
  const snapshot = JSON.parse(head[2]!) as Snapshot;
  // The checksum says that it is what was written; this, that it is what this version can use.
  if (snapshot.format !== 1)
    throw new Error(`the manifest has format ${String(snapshot.format)}, this version reads 1`);
  if (snapshot.id !== id) throw new Error(`the manifest is that of ${snapshot.id}`);
  for (const [i, item] of is.array(is.record(), { max: 100_000 })(snapshot.items, 'items').entries()) {
    is.string({ max: 4096, pattern: ITEM_PATTERN })(item['item'], `items.${i}.item`);
    is.array(hash, { max: 1_000_000 })(item['chunks'], `items.${i}.chunks`);
    hash(item['sha256'], `items.${i}.sha256`);
    whole(item['bytes'], `items.${i}.bytes`);
    whole(item['mode'], `items.${i}.mode`);
  }
  return snapshot;
}

/** Whether an item is meant by a name: its own, or that of a folder it lies below. */
export function isMeant(item: string, name: string): boolean {
  return item === name || item.startsWith(name.endsWith('/') ? name : `${name}/`);
}

export const numberOf = (id: string): number => Number(id.slice('snap-'.length));
