/**
 * V8's own heap limit of a thread whose heap may have `heapBytes`, bytes. It stands well above ours, so that our orderly restart comes first:
 * V8's ends the thread at once and sometimes the whole process. It counts whole pages where we count objects: arrays of 64 KiB ended a
 * thread at 75 % of it, arrays of ten numbers the process (measured on Node 26). And a heap that grows 300 MB/s needs room until it is noticed.
 */
export function v8HeapBytes(heapBytes: number): number {
  return Math.round(heapBytes * 1.5) + 32 * 1024 ** 2;
}

/**
 * Off-heap memory that may be garbage V8 has not collected, bytes: beyond half the heap limit since the last full collection it collects
 * at once (`Heap::ReportExternalMemoryPressure`, `external_memory_hard_limit() = max_old_generation_size() / 2` in V8's heap.h). Buffers
 * thrown away at 1 GB/s peak far below it: 35 to 82 MB measured on Node 26.
 */
export function garbageBytes(heapBytes: number): number {
  return v8HeapBytes(heapBytes) / 2;
}
