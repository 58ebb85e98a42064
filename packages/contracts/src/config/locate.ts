import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Pair } from 'yaml';

export type Path = readonly PropertyKey[];

/**
 * Offset in the text of the value at `path`, of its key when `aboutKey`; where the value is not there, of the nearest one above it that is.
 */
export function locate(document: Document.Parsed, path: Path, aboutKey: boolean): number {
  let node: unknown = document.contents;
  let offset = start(node) ?? 0;
  for (const [depth, token] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = (node.items as Pair[]).find(({ key }) => String(isScalar(key) ? key.value : key) === String(token));
      if (!pair) return offset;
      const keyAt = start(pair.key) ?? offset;
      if (aboutKey && depth === path.length - 1) return keyAt;
      node = pair.value;
      offset = start(node) ?? keyAt;
    } else if (isSeq(node)) {
      node = node.items[Number(token)];
      if (node === undefined) return offset;
      offset = start(node) ?? offset;
    } else {
      return offset;
    }
  }
  return offset;
}

function start(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}

/** `kernels.librarian.needs[1]` */
export function showPath(path: Path): string {
  return path
    .map((token, i) => (typeof token === 'number' ? `[${token}]` : `${i === 0 ? '' : '.'}${String(token)}`))
    .join('');
}
