/** One figure: what is measured, its floor in the same run, and the budget as a ratio. */
export interface Figure {
  id: string;
  title: string;
  unit: 'ms' | 'MB' | '%' | '% of a core' | 'us' | '/s' | 'restarts' | 'failures';
  /** `most`: Grace may need at most `ratio` times the floor. `least`: Grace must reach at least that part of it. `absolute`: a bound of its own. */
  budget: { kind: 'most' | 'least' | 'absolute'; ratio: number };
  /** What the floor is; `none`: there is nothing to compare with, the bound is absolute. */
  floor: string;
  note?: string;
}

export const FIGURES: readonly Figure[] = [
  {
    id: 'boot',
    title: 'Boot: from `grace boot --detach` to every kernel functionally ready',
    unit: 'ms',
    budget: { kind: 'most', ratio: 3 },
    floor: 'as many empty threads in as many processes, online',
    note: 'includes the start of the command line itself and the return to the shell',
  },
  {
    id: 'boot_inside',
    title: 'The same, counted from the start of the supervisor',
    unit: 'ms',
    budget: { kind: 'most', ratio: 3 },
    floor: 'the same',
  },
  {
    id: 'memory',
    title: 'Memory at rest, all processes (PSS)',
    unit: 'MB',
    budget: { kind: 'most', ratio: 3 },
    floor: 'the same empty threads',
  },
  {
    id: 'cpu',
    title: 'CPU at rest, all processes',
    unit: '% of a core',
    budget: { kind: 'absolute', ratio: 5 },
    floor: 'the same threads with 100 ms heartbeats',
  },
  {
    id: 'crash',
    title: 'Crash of a thread to functionally ready, p50',
    unit: 'ms',
    budget: { kind: 'most', ratio: 3 },
    floor: 'terminate and a new empty thread',
  },
  {
    id: 'crash_p99',
    title: 'Crash of a thread to functionally ready, p99',
    unit: 'ms',
    budget: { kind: 'most', ratio: 6 },
    floor: 'the same',
  },
  {
    id: 'hang',
    title: 'Endless loop to functionally ready, p99',
    unit: 'ms',
    budget: { kind: 'most', ratio: 3 },
    floor: 'heartbeat age of 200 ms and a new empty thread',
  },
  {
    id: 'block',
    title: 'Blocking native call to functionally ready, cell-mates included',
    unit: 'ms',
    budget: { kind: 'absolute', ratio: 2000 },
    floor: 'SIGKILL and a new process with five empty threads, after detection',
  },
  {
    id: 'off_heap',
    title: 'Buffers growing by 1 GB/s to functionally ready',
    unit: 'ms',
    budget: { kind: 'absolute', ratio: 2000 },
    floor: 'none',
    note: 'limit 256 MiB',
  },
  {
    id: 'off_heap_peak',
    title: 'The same: most memory the cell took on meanwhile',
    unit: 'MB',
    budget: { kind: 'absolute', ratio: 512 },
    floor: 'none',
  },
  {
    id: 'cap_cgroup',
    title: 'CPU limit of one thread by control group: how far what it got is from the 20 % asked',
    unit: '%',
    budget: { kind: 'absolute', ratio: 10 },
    floor: 'the 20 % asked',
  },
  {
    id: 'cap_inspector',
    title: 'CPU limit of one thread by duty cycle: how far what it got is from the 20 % asked',
    unit: '%',
    budget: { kind: 'absolute', ratio: 25 },
    floor: 'the 20 % asked',
  },
  {
    id: 'neighbours',
    title: "Neighbours' p99 verb latency while one kernel burns all it may under that limit",
    unit: 'ms',
    budget: { kind: 'most', ratio: 1.5 },
    floor: 'the same verb in quiet',
  },
  {
    id: 'false_restarts',
    title: 'Restarts while a process outside keeps every core busy for 60 s',
    unit: 'restarts',
    budget: { kind: 'absolute', ratio: 0 },
    floor: 'none',
    note: 'one repetition',
  },
  {
    id: 'adopted',
    title: 'SIGKILL of the supervisor to every kernel adopted by another',
    unit: 'ms',
    budget: { kind: 'absolute', ratio: 1000 },
    floor: 'none',
  },
  {
    id: 'loss_failed',
    title: 'The same: requests between kernels that failed, and kernels that were restarted',
    unit: 'failures',
    budget: { kind: 'absolute', ratio: 0 },
    floor: 'none',
  },
  {
    id: 'scale_boot',
    title: 'Boot of 200 small kernels',
    unit: 'ms',
    budget: { kind: 'most', ratio: 1 },
    floor: 'ten times the boot of 20',
    note: 'one repetition',
  },
  {
    id: 'scale_memory',
    title: 'Memory at rest of 200 small kernels (PSS)',
    unit: 'MB',
    budget: { kind: 'most', ratio: 1 },
    floor: 'ten times that of 20',
    note: 'one repetition',
  },
  {
    id: 'scale_cpu',
    title: 'CPU at rest of 200 small kernels',
    unit: '% of a core',
    budget: { kind: 'most', ratio: 1 },
    floor: 'ten times that of 20',
    note: 'one repetition',
  },
  {
    id: 'judgement',
    title: 'A round of judgement over 200 kernels',
    unit: 'ms',
    budget: { kind: 'absolute', ratio: 2 },
    floor: 'none',
  },
  {
    id: 'trip_near',
    title: 'Bus round trip in a cell',
    unit: 'us',
    budget: { kind: 'most', ratio: 2 },
    floor: 'bare MessagePort hub, 4 hops',
  },
  {
    id: 'rate_near',
    title: 'Bus throughput in a cell, accepted and handled',
    unit: '/s',
    budget: { kind: 'least', ratio: 2 },
    floor: 'bare hub, one message per post',
  },
  {
    id: 'trip_far',
    title: 'Bus round trip between cells',
    unit: 'us',
    budget: { kind: 'most', ratio: 4 },
    floor: 'Unix socket with v8 frames, one hop each way',
    note: 'the bus needs twice the hops: asker, broker, answerer',
  },
  {
    id: 'rate_far',
    title: 'Bus throughput between cells, accepted and handled',
    unit: '/s',
    budget: { kind: 'least', ratio: 2 },
    floor: 'Unix socket, v8 frames one by one',
  },
  {
    id: 'flood_port',
    title: "Others' bus round trip, p99, while 200,000 denied messages flood in by a port",
    unit: 'us',
    budget: { kind: 'most', ratio: 2 },
    floor: 'the same in quiet',
  },
  {
    id: 'flood_socket',
    title: 'The same by the socket',
    unit: 'us',
    budget: { kind: 'most', ratio: 2 },
    floor: 'the same in quiet',
  },
  {
    id: 'denied_port',
    title: "CPU of the broker's thread per denied message of a muted principal, by a port",
    unit: 'us',
    budget: { kind: 'most', ratio: 0.5 },
    floor: 'a denied message of one that is never muted',
  },
  {
    id: 'denied_socket',
    title: 'The same by the socket',
    unit: 'us',
    budget: { kind: 'most', ratio: 0.5 },
    floor: 'the same',
  },
  {
    id: 'durable_near',
    title: 'Durable publishes in a cell, accepted when they are on disk',
    unit: '/s',
    budget: { kind: 'least', ratio: 0.5 },
    floor: 'SQLite, WAL with full sync, one row each, 256 in a transaction',
  },
  {
    id: 'durable_far',
    title: 'The same by the socket',
    unit: '/s',
    budget: { kind: 'least', ratio: 0.5 },
    floor: 'the same',
  },
  {
    id: 'append',
    title: 'Ledger appends, durable and hash-linked',
    unit: '/s',
    budget: { kind: 'least', ratio: 0.6 },
    floor: 'fdatasync per 256 records with a SHA-256 chain',
  },
  {
    id: 'verify',
    title: 'Ledger verification',
    unit: '/s',
    budget: { kind: 'least', ratio: 0.7 },
    floor: 'reading and hashing the same chain',
  },
  {
    id: 'append_tree',
    title: 'Audit appends: durable, hash-linked, in a Merkle tree that is signed every second',
    unit: '/s',
    budget: { kind: 'least', ratio: 0.6 },
    floor: 'fdatasync per 256 records with a SHA-256 chain, no tree',
  },
  {
    id: 'verify_tree',
    title: 'Audit verification: chain, tree, tiles and signature',
    unit: '/s',
    budget: { kind: 'least', ratio: 0.7 },
    floor: 'reading and hashing the chain, no tree',
  },
  {
    id: 'recall',
    title: 'Recall from 100,000 memories, p95, through the verb',
    unit: 'ms',
    budget: { kind: 'absolute', ratio: 50 },
    floor: 'none',
    note: 'one repetition',
  },
  {
    id: 'recall_ready',
    title: 'The memory of 100,000 items: start to functionally ready',
    unit: 'ms',
    budget: { kind: 'absolute', ratio: 500 },
    floor: 'none',
    note: 'one repetition',
  },
];

export interface Measured {
  figure: Figure;
  floors: number[];
  values: number[];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Whether the budget holds, on medians. */
export function verdict({ figure, floors, values }: Measured): {
  floor: number;
  value: number;
  ratio: number;
  holds: boolean;
} {
  const floor = median(floors);
  const value = median(values);
  const ratio = value / floor;
  const holds =
    figure.budget.kind === 'most'
      ? ratio <= figure.budget.ratio
      : figure.budget.kind === 'least'
        ? ratio >= figure.budget.ratio
        : value <= figure.budget.ratio;
  return { floor, value, ratio, holds };
}
