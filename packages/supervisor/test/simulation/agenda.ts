interface Entry {
  at: number;
  order: number;
  act: () => void;
}

/** What is going to happen, earliest first; what is due at the same moment happens in the order in which it was noted. A binary heap. */
export class Agenda {
  #heap: Entry[] = [];
  #order = 0;

  /** When the next thing happens; Infinity when nothing will. */
  get nextAt(): number {
    return this.#heap.length === 0 ? Infinity : this.#heap[0]!.at;
  }

  add(at: number, act: () => void): void {
    const heap = this.#heap;
    const entry = { at, order: this.#order++, act };
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = entry;
  }

  take(): () => void {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) {
      let index = 0;
      for (;;) {
        let child = 2 * index + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
        if (!before(heap[child]!, last)) break;
        heap[index] = heap[child]!;
        index = child;
      }
      heap[index] = last;
    }
    return first.act;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
