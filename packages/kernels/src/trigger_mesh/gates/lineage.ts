import { messageId } from '../act/intention.ts';
import type { Trace } from '../fired/journal.ts';

/** What the mesh knows of a message by the ids it carries. */
interface Carried {
  id: string;
  causation?: string | null;
  correlation?: string | null;
}

/**
 * How many firings led to a message. The mesh gives its own messages their ids and remembers the depth of each; a message that names one
 * of them as its cause, or carries a correlation the mesh made up, inherits the depth. Only remembered ids count, so no sender can claim a
 * depth. Bounded: the oldest are forgotten first.
 */
export interface Lineage {
  remember(id: string, depth: number): void;
  knows(id: string): boolean;
  /** The messages of a firing that ended in an earlier life: a restart does not cut the thread. */
  recall(trace: Trace): void;
  /** 0 for what no rule caused. Remembers the message itself, so that chains go on through others. */
  depthOf(message: Carried): number;
  readonly size: number;
}

export function createLineage(capacity = 20_000): Lineage {
  const depths = new Map<string, number>();

  const remember = (id: string, depth: number): void => {
    depths.delete(id);
    depths.set(id, depth);
    if (depths.size > capacity) depths.delete(depths.keys().next().value!);
  };

  return {
    remember,
    knows: (id) => depths.has(id),
    recall({ firing, deeds, depth, own }) {
      for (let i = 0; i < deeds; i++) remember(messageId({ firing }, i), depth + 1);
      if (own !== null) remember(own, depth + 1);
    },
    depthOf({ id, causation, correlation }) {
      const own = depths.get(id);
      if (own !== undefined) return own;
      const depth = Math.max((causation && depths.get(causation)) || 0, (correlation && depths.get(correlation)) || 0);
      if (depth > 0) remember(id, depth);
      return depth;
    },
    get size() {
      return depths.size;
    },
  };
}
