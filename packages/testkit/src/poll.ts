/** Polls until `condition` gives a truthy value, and returns it; throws with `what` after the deadline. The only way tests wait. */
export async function poll<T>(
  what: string,
  condition: () => T | Promise<T>,
  options: { deadlineMs?: number; everyMs?: number } = {},
): Promise<Exclude<T, null | undefined | false>> {
  const { deadlineMs = 20_000, everyMs = 20 } = options;
  const end = performance.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value as Exclude<T, null | undefined | false>;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) {
      throw new Error(
        `not within ${deadlineMs} ms: ${what}${last === undefined ? '' : ` (last error: ${last instanceof Error ? last.message : String(last)})`}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
