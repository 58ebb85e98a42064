/** The parts of V8's profiles that are read here; places count from 0. */
interface Callee {
  functionName: string;
  url: string;
  lineNumber: number;
  columnNumber: number;
}

export interface CpuProfile {
  nodes: { callFrame: Callee; hitCount: number }[];
}

export interface HeapProfile {
  head: HeapNode;
}

interface HeapNode {
  callFrame: Callee;
  selfSize: number;
  children: HeapNode[];
}

export interface FunctionShare {
  name: string;
  /** Empty for what is no function: `(idle)`, `(garbage collector)`. */
  url: string;
  /** From 1. */
  line: number;
  column: number;
  /** Of all time or bytes, 0..1. */
  share: number;
  bytes?: number;
}

/** Time in each function itself, most first. Standing still by its CPU limit counts as the function it stood in. */
export function cpuShares({ nodes }: CpuProfile): FunctionShare[] {
  return ranked(nodes.map(({ callFrame, hitCount }) => ({ callFrame, amount: hitCount })));
}

/** Bytes each function allocated during the profile that are not yet collected, most first. Buffers are not on this heap. */
export function heapShares({ head }: HeapProfile): FunctionShare[] {
  const nodes: { callFrame: Callee; amount: number }[] = [];
  const rest = [head];
  for (let node = rest.pop(); node; node = rest.pop()) {
    nodes.push({ callFrame: node.callFrame, amount: node.selfSize });
    rest.push(...node.children);
  }
  return ranked(nodes).map((one) => ({ ...one, bytes: one.amount }));
}

function ranked(nodes: { callFrame: Callee; amount: number }[]): (FunctionShare & { amount: number })[] {
  const byPlace = new Map<string, { callFrame: Callee; amount: number }>();
  let total = 0;
  for (const { callFrame, amount } of nodes) {
    const key = `${callFrame.functionName} ${callFrame.url}:${callFrame.lineNumber}:${callFrame.columnNumber}`;
    const known = byPlace.get(key);
    if (known) known.amount += amount;
    else byPlace.set(key, { callFrame, amount });
    total += amount;
  }
  return [...byPlace.values()]
    .filter(({ amount }) => amount > 0)
    .sort((a, b) => b.amount - a.amount)
    .map(({ callFrame, amount }) => ({
      name: callFrame.functionName || '(anonymous)',
      url: callFrame.url,
      line: callFrame.lineNumber + 1,
      column: callFrame.columnNumber + 1,
      share: amount / total,
      amount,
    }));
}
