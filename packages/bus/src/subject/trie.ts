interface Node<T> {
  children: Map<string, Node<T>>;
  /** Below `*`. */
  star: Node<T> | undefined;
  /** Values of patterns that end here. */
  values: T[];
  /** Values of patterns that end here with `>`. */
  rest: T[];
}

/** Patterns with values, asked by subject. Subscriptions and access rules are both kept in one. */
export class SubjectTrie<T> {
  readonly #root: Node<T> = createNode();

  add(pattern: string, value: T): void {
    let node = this.#root;
    for (const token of pattern.split('.')) {
      if (token === '>') {
        node.rest.push(value);
        return;
      }
      node = token === '*' ? starOf(node) : child(node, token);
    }
    node.values.push(value);
  }

  /** Removes the value once, and the branch that only it needed. */
  delete(pattern: string, value: T): boolean {
    return remove(this.#root, pattern.split('.'), 0, value);
  }

  /** Values of all patterns that match the subject, one entry per pattern and value. */
  match(subject: string): T[] {
    const found: T[] = [];
    collect(this.#root, subject.split('.'), 0, found);
    return found;
  }

  matches(subject: string): boolean {
    return this.match(subject).length > 0;
  }

  /** Whether one pattern in here matches every subject that `pattern` matches. */
  covers(pattern: string): boolean {
    return covers(this.#root, pattern.split('.'), 0);
  }

  /** Whether one pattern in here matches at least one subject that `pattern` matches. */
  overlaps(pattern: string): boolean {
    return overlaps(this.#root, pattern.split('.'), 0);
  }

  get empty(): boolean {
    return isEmpty(this.#root);
  }
}

function createNode<T>(): Node<T> {
  return { children: new Map(), star: undefined, values: [], rest: [] };
}

function child<T>(node: Node<T>, token: string): Node<T> {
  let found = node.children.get(token);
  if (!found) {
    found = createNode();
    node.children.set(token, found);
  }
  return found;
}

function starOf<T>(node: Node<T>): Node<T> {
  node.star ??= createNode();
  return node.star;
}

function isEmpty<T>(node: Node<T>): boolean {
  return node.values.length === 0 && node.rest.length === 0 && !node.star && node.children.size === 0;
}

function remove<T>(node: Node<T>, tokens: string[], i: number, value: T): boolean {
  const token = tokens[i];
  if (token === undefined) return take(node.values, value);
  if (token === '>') return take(node.rest, value);
  const next = token === '*' ? node.star : node.children.get(token);
  if (!next || !remove(next, tokens, i + 1, value)) return false;
  if (isEmpty(next)) {
    if (token === '*') node.star = undefined;
    else node.children.delete(token);
  }
  return true;
}

function take<T>(values: T[], value: T): boolean {
  const at = values.indexOf(value);
  if (at === -1) return false;
  values.splice(at, 1);
  return true;
}

function collect<T>(node: Node<T>, tokens: string[], i: number, found: T[]): void {
  if (i === tokens.length) {
    found.push(...node.values);
    return;
  }
  found.push(...node.rest);
  const next = node.children.get(tokens[i]!);
  if (next) collect(next, tokens, i + 1, found);
  if (node.star) collect(node.star, tokens, i + 1, found);
}

function covers<T>(node: Node<T>, tokens: string[], i: number): boolean {
  if (i === tokens.length) return node.values.length > 0;
  if (node.rest.length > 0) return true;
  const token = tokens[i]!;
  if (token === '>') return false;
  if (node.star && covers(node.star, tokens, i + 1)) return true;
  const next = token === '*' ? undefined : node.children.get(token);
  return next !== undefined && covers(next, tokens, i + 1);
}

function overlaps<T>(node: Node<T>, tokens: string[], i: number): boolean {
  if (i === tokens.length) return node.values.length > 0;
  if (node.rest.length > 0) return true;
  const token = tokens[i]!;
  if (token === '>') return node.star !== undefined || node.children.size > 0;
  if (node.star && overlaps(node.star, tokens, i + 1)) return true;
  if (token !== '*') {
    const next = node.children.get(token);
    return next !== undefined && overlaps(next, tokens, i + 1);
  }
  for (const next of node.children.values()) if (overlaps(next, tokens, i + 1)) return true;
  return false;
}
