import type { AnyRecord } from '@grace/contracts';
import { mineOf, named, type Scene } from './scene.ts';
import type { Touched } from './story.ts';

interface Spell {
  kernel: string;
  how: string;
  began: AnyRecord;
  ended: AnyRecord | undefined;
  linked: boolean;
}

/** Kernels other than the subject that left `running`, or were not well, while the incident was open; and for how long. */
export function othersOf(scene: Scene): Touched[] {
  const begin = scene.mine[0]?.seq ?? scene.opened.seq;
  // That kernels go down when the system stops has nothing to do with it.
  const stop = named(scene.around, 'system:stop').find(({ seq }) => seq > scene.opened.seq);
  const end = Math.min(scene.closed?.seq ?? Number.POSITIVE_INFINITY, stop?.seq ?? Number.POSITIVE_INFINITY);
  const spells = [...downSpells(scene, begin, end), ...illSpells(scene, begin, end)];
  return merged(spells, scene).sort((a, b) => Number(b.linked) - Number(a.linked) || a.fromMs - b.fromMs);
}

function downSpells(scene: Scene, begin: number, end: number): Spell[] {
  const spells: Spell[] = [];
  const exits = mineOf(scene, 'cell:exit');
  for (const record of named(scene.around, 'kernel:state')) {
    const { kernel, seq } = record;
    if (kernel === undefined || kernel === scene.subject || record.data.from !== 'running' || seq < begin || seq > end)
      continue;
    const ended = scene.around.find((other) => other.seq > seq && other.kernel === kernel && isUp(other));
    const exit = exits.findLast((one) => one.seq < seq && one.data.kernels.includes(kernel));
    const how = exit ? `down with cell ${exit.cell} (${record.data.reason})` : `down: ${record.data.reason}`;
    spells.push({ kernel, how, began: record, ended, linked: exit !== undefined || isCorrelated(record, scene) });
  }
  return spells;
}

function isUp(record: AnyRecord): boolean {
  return record.name === 'kernel:state' && record.data.to === 'running';
}

/** Of the same cells, or of all when the whole machine is the subject. */
function illSpells(scene: Scene, begin: number, end: number): Spell[] {
  const spells: Spell[] = [];
  const conditions = named(scene.around, 'kernel:condition');
  for (const record of conditions) {
    const { kernel, seq, cell } = record;
    const { to } = record.data;
    if (kernel === undefined || kernel === scene.subject || to === 'healthy' || seq < begin || seq > end) continue;
    const linked =
      scene.subject === 'machine' || (cell !== undefined && scene.cells.has(cell)) || isCorrelated(record, scene);
    if (!linked) continue;
    const ended = scene.around.find(
      (other) =>
        other.seq > seq &&
        other.kernel === kernel &&
        (other.name === 'kernel:condition' || (other.name === 'kernel:state' && other.data.from === 'running')),
    );
    spells.push({ kernel, how: `judged ${to}`, began: record, ended, linked });
  }
  return spells;
}

function isCorrelated(record: AnyRecord, { correlation }: Scene): boolean {
  return correlation !== undefined && record.correlation === correlation;
}

/** Several spells of one kind are one statement, with their time added up. */
function merged(spells: readonly Spell[], scene: Scene): Touched[] {
  const groups = Object.values(Object.groupBy(spells, ({ kernel, how }) => `${kernel} ${how}`)) as Spell[][];
  return groups.map((group) => {
    const { kernel, how, began, linked } = group[0]!;
    const over = group.every(({ ended }) => ended !== undefined);
    const sum = group.reduce((ms, one) => ms + ((one.ended?.monoMs ?? one.began.monoMs) - one.began.monoMs), 0);
    const back = group.at(-1)!.ended;
    const incarnation = back && isUp(back) ? `; back as incarnation ${back.incarnation ?? '?'}` : '';
    return {
      kernel,
      fromMs: scene.at(began),
      forMs: over ? Math.round(sum) : null,
      text: `${how}${group.length > 1 ? `, ${group.length} times` : ''}${incarnation}`,
      linked,
      events: group.flatMap((one) => [one.began.seq, ...(one.ended ? [one.ended.seq] : [])]),
    };
  });
}
