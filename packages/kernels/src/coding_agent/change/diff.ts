const CONTEXT = 3;
/** Above this many lines on both sides of what differs, the middle is shown as replaced whole: the table would grow with its square. */
const TABLE_MAX = 4_000_000;

type Op = { kind: ' ' | '-' | '+'; line: string };

/** A unified diff as `git apply` (without context: `--unidiff-zero`) and `patch -p1` read it; empty when nothing differs. */
export function unifiedDiff(file: string, before: string, after: string, context = CONTEXT): string {
  if (before === after) return '';
  const ops = operations(split(before), split(after));
  const hunks = hunksOf(ops, context);
  return [`--- a/${file}`, `+++ b/${file}`, ...hunks].join('\n').concat('\n');
}

/** Runs of lines that differ; `at` counts UTF-16 units of the text before. */
export function runsOf(before: string, after: string): { at: number; taken: string; put: string }[] {
  const runs: { at: number; taken: string; put: string }[] = [];
  let at = 0;
  let run: { at: number; taken: string; put: string } | undefined;
  for (const { kind, line } of operations(split(before), split(after))) {
    if (kind === ' ') run = undefined;
    else {
      if (!run) {
        run = { at, taken: '', put: '' };
        runs.push(run);
      }
      if (kind === '-') run.taken += line;
      else run.put += line;
    }
    if (kind !== '+') at += line.length;
  }
  return runs;
}

/** Lines that were added and taken away. */
export function changedLines(diff: string): number {
  return diff.split('\n').filter((line) => /^[+-](?!\+\+ b\/|-- a\/)/.test(line)).length;
}

/** Lines with their ends, so that a last line without one differs from one with. */
function split(text: string): string[] {
  return text === '' ? [] : text.split(/(?<=\n)/);
}

function operations(a: string[], b: string[]): Op[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const same = (lines: string[]): Op[] => lines.map((line) => ({ kind: ' ', line }));
  return [
    ...same(a.slice(0, start)),
    ...middle(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...same(a.slice(a.length - end)),
  ];
}

/** By the longest common subsequence of lines. */
function middle(a: string[], b: string[]): Op[] {
  const whole: Op[] = [...a.map((line): Op => ({ kind: '-', line })), ...b.map((line): Op => ({ kind: '+', line }))];
  if (a.length === 0 || b.length === 0 || a.length * b.length > TABLE_MAX) return whole;
  const width = b.length + 1;
  const table = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      table[i * width + j] =
        a[i] === b[j]
          ? table[(i + 1) * width + j + 1]! + 1
          : Math.max(table[(i + 1) * width + j]!, table[i * width + j + 1]!);
  const ops: Op[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      ops.push({ kind: ' ', line: a[i++]! });
      j++;
    } else if (j >= b.length || (i < a.length && table[(i + 1) * width + j]! >= table[i * width + j + 1]!))
      ops.push({ kind: '-', line: a[i++]! });
    else ops.push({ kind: '+', line: b[j++]! });
  }
  return ops;
}

function hunksOf(ops: readonly Op[], context: number): string[] {
  const changed = ops.flatMap((op, at) => (op.kind === ' ' ? [] : [at]));
  const spans: [number, number][] = [];
  for (const at of changed) {
    const last = spans.at(-1);
    if (last && at - last[1] <= Math.max(1, context * 2)) last[1] = at;
    else spans.push([at, at]);
  }
  return spans.flatMap(([first, last]) => {
    const from = Math.max(0, first - context);
    const part = ops.slice(from, last + context + 1);
    const before = ops.slice(0, from);
    const count = (list: readonly Op[], without: string): number => list.filter(({ kind }) => kind !== without).length;
    const range = (without: string): string => {
      const [length, above] = [count(part, without), count(before, without)];
      return `${length === 0 ? above : above + 1},${length}`;
    };
    return [
      `@@ -${range('+')} +${range('-')} @@`,
      ...part.map(({ kind, line }) =>
        line.endsWith('\n') ? kind + line.slice(0, -1) : `${kind}${line}\n\\ No newline at end of file`,
      ),
    ];
  });
}
