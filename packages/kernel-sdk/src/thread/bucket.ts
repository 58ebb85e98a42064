/**
 * A token bucket that tells what it refused: `perSecond` on average, `burst` at once. `tell` gets how many were refused, at most once a
 * second, also when silence follows a flood.
 */
export function createBucket(
  perSecond: number,
  burst: number,
  tell: (refused: number) => void,
): (cost?: number) => boolean {
  let tokens = burst;
  let atMono = performance.now();
  let refused = 0;
  const tellNow = (): void => {
    const count = refused;
    refused = 0;
    tell(count);
  };
  return (cost = 1) => {
    const nowMono = performance.now();
    tokens = Math.min(burst, tokens + ((nowMono - atMono) / 1000) * perSecond);
    atMono = nowMono;
    if (tokens >= cost) {
      tokens -= cost;
      return true;
    }
    if (refused++ === 0) setTimeout(tellNow, 1000).unref();
    return false;
  };
}
