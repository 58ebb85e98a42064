/** Wait before attempt `attempt + 1`: doubles from `backoffMs` up to `backoffMaxMs`. */
export function backoff(retry: { backoffMs: number; backoffMaxMs: number }, attempt: number): number {
  return Math.min(retry.backoffMaxMs, retry.backoffMs * 2 ** Math.min(30, attempt - 1));
}
