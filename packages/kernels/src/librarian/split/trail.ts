/** The headings above a place in a document, outermost first: `Operations / Restart budget`. */
export function createTrail() {
  const levels: string[] = [];
  return {
    enter(depth: number, heading: string): void {
      levels.length = Math.max(0, Math.min(levels.length, depth - 1));
      while (levels.length < depth - 1) levels.push('');
      levels.push(heading.replace(/\s+/g, ' ').trim());
    },
    toString: (): string => levels.filter((name) => name !== '').join(' / '),
  };
}

/** The name of what stands before the first heading. */
export const OPENING = 'opening';
