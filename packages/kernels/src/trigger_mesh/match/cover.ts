import { createTrie } from './trie.ts';

/** A change of what must be subscribed. */
export interface CoverChange {
  add: string[];
  drop: string[];
}

/** The fewest of the patterns in use that together cover all of them: what has to be subscribed, and no more. */
export interface Cover {
  use(pattern: string): CoverChange;
  release(pattern: string): CoverChange;
  patterns(): string[];
}

export function createCover(): Cover {
  /** Pattern in use -> how many times, and the pattern of the cover that it stands under. */
  const uses = new Map<string, { count: number; owner: string }>();
  /** Cover -> patterns it owns, itself among them. */
  const owned = new Map<string, Set<string>>();
  const owners = createTrie<string>();

  /** Finds the pattern its place in the cover: under a wider one, or as one that takes over all narrower ones. */
  const settle = (pattern: string): CoverChange => {
    const [owner] = owners.match(pattern);
    if (owner !== undefined) {
      owned.get(owner)!.add(pattern);
      uses.get(pattern)!.owner = owner;
      return { add: [], drop: [] };
    }
    const drop = [...owners.within(pattern)];
    const mine = new Set([pattern]);
    for (const narrow of drop) {
      for (const inner of owned.get(narrow)!) mine.add(inner);
      owned.delete(narrow);
      owners.remove(narrow, narrow);
    }
    for (const inner of mine) uses.get(inner)!.owner = pattern;
    owned.set(pattern, mine);
    owners.add(pattern, pattern);
    return { add: [pattern], drop };
  };

  return {
    use(pattern) {
      const known = uses.get(pattern);
      if (known) {
        known.count++;
        return { add: [], drop: [] };
      }
      uses.set(pattern, { count: 1, owner: pattern });
      return settle(pattern);
    },
    release(pattern) {
      const known = uses.get(pattern);
      if (!known || --known.count > 0) return { add: [], drop: [] };
      uses.delete(pattern);
      const family = owned.get(known.owner)!;
      family.delete(pattern);
      if (known.owner !== pattern) return { add: [], drop: [] };
      owned.delete(pattern);
      owners.remove(pattern, pattern);
      // Those that no other orphan covers come first, so that nothing is subscribed only to be dropped again.
      const inFamily = createTrie<string>();
      for (const orphan of family) inFamily.add(orphan, orphan);
      const isWidest = (orphan: string): boolean => inFamily.match(orphan).size === 1;
      const widest = [...family].filter(isWidest);
      for (const orphan of [...widest, ...[...family].filter((one) => !isWidest(one))]) settle(orphan);
      return { add: widest.filter((one) => owned.has(one)), drop: [pattern] };
    },
    patterns: () => [...owned.keys()],
  };
}
