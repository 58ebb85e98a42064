/** Whether a value is at most `limit` heavy: one for each value in it, one more for each 64 characters of text. Stops looking at the limit. */
export function weighs(value: unknown, limit: number): boolean {
  let left = limit;
  const stack: unknown[] = [value];
  while (stack.length > 0) {
    const next = stack.pop();
    left -= typeof next === 'string' ? 1 + next.length / 64 : 1;
    if (left < 0) return false;
    if (next === null || typeof next !== 'object') continue;
    const parts = Array.isArray(next) ? next : Object.values(next);
    if (parts.length > left) return false;
    for (const part of parts) stack.push(part);
  }
  return true;
}
