interface Node<T> {
  /** Next token, among them `*`. */
  next: Map<string, Node<T>>;
  /** Entries whose pattern ends here. */
  here: Set<T>;
  /** Entries whose pattern ends here with `>`. */
  rest: Set<T>;
}

const createNode = <T>(): Node<T> => ({ next: new Map(), here: new Set(), rest: new Set() });

/** Entries by subject pattern. A subject visits the tokens it has, never the entries it has not: the cost does not grow with their number. */
export interface Trie<T> {
  readonly size: number;
  add(pattern: string, entry: T): void;
  remove(pattern: string, entry: T): void;
  /** Entries whose pattern matches the subject, in no promised order. Given a pattern: entries whose pattern covers it. */
  match(subject: string): Set<T>;
  /** Entries whose pattern is covered by this one. */
  within(pattern: string): Set<T>;
}

export function createTrie<T>(): Trie<T> {
  const root = createNode<T>();
  let size = 0;

  const prune = (node: Node<T>, tokens: string[], at: number, entry: T): void => {
    const token = tokens[at];
    if (token === undefined || token === '>') {
      if ((token === '>' ? node.rest : node.here).delete(entry)) size--;
      return;
    }
    const child = node.next.get(token);
    if (!child) return;
    prune(child, tokens, at + 1, entry);
    if (child.next.size === 0 && child.here.size === 0 && child.rest.size === 0) node.next.delete(token);
  };

  const collect = (node: Node<T>, tokens: string[], at: number, found: Set<T>): void => {
    if (at === tokens.length) {
      for (const entry of node.here) found.add(entry);
      return;
    }
    for (const entry of node.rest) found.add(entry);
    if (tokens[at] === '>') return;
    const exact = node.next.get(tokens[at]!);
    if (exact) collect(exact, tokens, at + 1, found);
    const any = node.next.get('*');
    if (any) collect(any, tokens, at + 1, found);
  };

  const collectWithin = (node: Node<T>, tokens: string[], at: number, found: Set<T>): void => {
    const token = tokens[at];
    if (token === undefined) {
      for (const entry of node.here) found.add(entry);
    } else if (token === '>') {
      for (const entry of node.rest) found.add(entry);
      for (const child of node.next.values()) {
        for (const entry of child.here) found.add(entry);
        collectWithin(child, tokens, at, found);
      }
    } else if (token === '*') {
      for (const child of node.next.values()) collectWithin(child, tokens, at + 1, found);
    } else {
      const child = node.next.get(token);
      if (child) collectWithin(child, tokens, at + 1, found);
    }
  };

  return {
    get size() {
      return size;
    },
    add(pattern, entry) {
      let node = root;
      for (const token of pattern.split('.')) {
        if (token === '>') break;
        let child = node.next.get(token);
        if (!child) {
          child = createNode<T>();
          node.next.set(token, child);
        }
        node = child;
      }
      const set = pattern === '>' || pattern.endsWith('.>') ? node.rest : node.here;
      if (!set.has(entry)) size++;
      set.add(entry);
    },
    remove(pattern, entry) {
      prune(root, pattern.split('.'), 0, entry);
    },
    match(subject) {
      const found = new Set<T>();
      collect(root, subject.split('.'), 0, found);
      return found;
    },
    within(pattern) {
      const found = new Set<T>();
      collectWithin(root, pattern.split('.'), 0, found);
      return found;
    },
  };
}
