/**
 * Which entries a message has reached already. Two subscriptions whose patterns overlap deliver a message twice, and so does a broker that
 * resends; each rule judges it once. Bounded: the oldest messages are forgotten first.
 */
export interface Seen {
  /** The entries this message has not reached before; from now on it has. */
  fresh<T extends object>(message: string, entries: ReadonlySet<T>): T[];
}

export function createSeen(capacity = 8192): Seen {
  const reached = new Map<string, Set<object>>();
  return {
    fresh(message, entries) {
      if (entries.size === 0) return [];
      const known = reached.get(message);
      if (known) {
        const fresh = [...entries].filter((entry) => !known.has(entry));
        for (const entry of fresh) known.add(entry);
        return fresh;
      }
      reached.set(message, new Set(entries));
      if (reached.size > capacity) reached.delete(reached.keys().next().value!);
      return [...entries];
    },
  };
}
