import type { EvidenceKind } from '@grace/contracts';
import { inWords } from './evidence-words.ts';
import { accusationOf, HELD_LOOP, observerLags } from './ruled-out.ts';
import { mineOf, type Scene } from './scene.ts';
import type { Sentence, Story } from './story.ts';

/** What the record establishes of the cause, and what it does not. Nothing is concluded that no record states. */
export function causeOf(scene: Scene): Story['cause'] {
  const established: Sentence[] = [];
  const notEstablished: Sentence[] = [];
  const known = (text: string, ...events: number[]): void => void established.push({ atMs: null, text, events });
  const unknown = (text: string, ...events: number[]): void => void notEstablished.push({ atMs: null, text, events });

  const drilled = drillOf(scene, known, unknown);
  orderOf(scene, known);
  if (!drilled) ownDoingOf(scene, known, unknown);
  for (const lag of observerLags(scene))
    if (isAboutTime(scene))
      unknown(`how much of it was the supervisor's own lateness of ${lag.data.lagMs} ms`, lag.seq);
  const { figures } = accusationOf(scene) ?? {};
  if (isAboutTime(scene) && (!figures || typeof figures['runDelayMs'] !== 'number'))
    unknown('whether it was starved: how long it waited for a processor was not measured');
  if (established.length === 0 && notEstablished.length === 0) unknown('why it happened: no record states a cause');
  return { established, notEstablished };
}

type Say = (text: string, ...events: number[]) => void;

function isAboutTime({ opened }: Scene): boolean {
  const { kind } = opened.data.incident;
  return kind === 'kernel_hung' || kind === 'heartbeat_gap';
}

/** A fault that a drill injected, and whether it acted. */
function drillOf(scene: Scene, known: Say, unknown: Say): boolean {
  const injected = mineOf(scene, 'fault:inject');
  for (const { seq, data } of injected) {
    const effect = mineOf(scene, 'fault:effect').find((record) => record.data.lease === data.lease);
    const what = `a drill injected ${data.kind} into ${data.target} (lease ${data.lease})`;
    if (effect?.data.proven) known(`${what}, and its own probe has proven that it acted`, seq, effect.seq);
    else if (effect)
      unknown(`the drill as the reason: it injected ${data.kind}, whose effect was not proven`, seq, effect.seq);
    else known(`${what}; its effect was not probed by the end of the record`, seq);
  }
  return injected.length > 0;
}

function orderOf(scene: Scene, known: Say): void {
  for (const { seq, data } of mineOf(scene, 'kernel:hand'))
    if (seq < scene.opened.seq) known(`${data.by} ordered it by hand: ${data.order} (${data.reason})`, seq);
}

function ownDoingOf(scene: Scene, known: Say, unknown: Say): void {
  const { subject, opened } = scene;
  switch (opened.data.incident.kind) {
    case 'kernel_hung':
      hangOf(scene, known, unknown);
      return;
    case 'heartbeat_gap':
      gapOf(scene, known, unknown);
      return;
    case 'kernel_crash':
    case 'kernel_start_failed':
      endOf(scene, known, unknown);
      return;
    case 'cell_crash':
      cellEndOf(scene, known, unknown);
      return;
    case 'cell_frozen':
      frozenOf(scene, known, unknown);
      return;
    case 'memory_pressure':
      placeOf(scene, ['heap_profile', 'heap_statistics'], known, () =>
        unknown('what holds the memory: no heap profile was taken (grace profile KERNEL --heap takes one)'),
      );
      return;
    case 'cpu_overload':
      placeOf(scene, ['cpu_profile', 'stack'], known, () =>
        unknown('what it computes: no profile was taken (grace profile KERNEL takes one)'),
      );
      return;
    case 'quarantine':
      givenUpOf(scene, known, unknown);
      return;
    case 'record_damaged':
      for (const { seq, data } of mineOf(scene, 'detector:fire').slice(0, 1))
        known(`files of the record of ${subject} are not what was written: ${inWords(data.evidence)}`, seq);
      unknown('who or what changed them: a disk, a hand, or a program. The files as found are kept as evidence');
      return;
    case 'queue_backlog':
      for (const { seq, data } of mineOf(scene, 'detector:fire').slice(0, 1))
        known(`messages came in faster than ${subject} took them: ${inWords(data.evidence)}`, seq);
      unknown('whether the consumer is slow or the publishers are too fast: grace bus stats shows both');
      return;
    case 'acl_violation':
    case 'flooding':
      for (const { seq, data } of mineOf(scene, 'detector:fire').slice(0, 1))
        known(`${subject} sent more, or other, messages than it may: ${inWords(data.evidence)}`, seq);
      unknown(`why ${subject} sent them`);
      return;
    case 'cpu_saturation':
      unknown('who used the processors: a program outside this system, or a kernel of it whose own incident tells so');
      return;
    default:
      return;
  }
}

/** A late heartbeat may be the beginning of a hang; where the event loop turned, only its timer stood still. */
function gapOf(scene: Scene, known: Say, unknown: Say): void {
  const elu = accusationOf(scene)?.figures['elu'];
  if (typeof elu === 'number' && elu >= HELD_LOOP) hangOf(scene, known, unknown);
  else if (typeof elu === 'number')
    unknown('why the heartbeat stopped: the event loop turned, and no record tells what held the timer');
  else unknown('why the heartbeat stopped: whether the event loop turned was not measured');
}

/** Where a thread that did not answer was. */
function hangOf(scene: Scene, known: Say, unknown: Say): void {
  const judged = mineOf(scene, 'kernel:condition').findLast(
    ({ data }) => data.to === 'spinning' || data.to === 'blocked',
  );
  const probes = mineOf(scene, 'kernel:probe').filter(({ data }) => !data.ok);
  if (judged) {
    const what =
      judged.data.to === 'spinning' ? 'one callback kept its thread computing' : 'one call kept its thread waiting';
    known(`${what}, so nothing else in it ran`, judged.seq);
  } else if (probes.length > 0)
    known(
      `its functional probe failed: ${probes.at(-1)!.data.error?.message ?? 'no answer'}`,
      ...probes.map(({ seq }) => seq),
    );
  const placed = placeOf(scene, ['stack', 'cpu_profile'], known, () => {
    if (judged?.data.to === 'blocked') unknown('in which call: a thread in native code shows no JavaScript stack');
    else unknown('where in its code: no stack was taken');
  });
  if (placed) unknown('why the code there does not end: that is for its author to see');
}

/** The most telling line of a kept file. */
function placeOf(scene: Scene, kinds: readonly EvidenceKind[], known: Say, otherwise: () => void): boolean {
  const kept = mineOf(scene, 'kernel:evidence').find(({ data }) => kinds.includes(data.kind) && data.top.length > 0);
  if (kept) known(`the place: ${kept.data.top[0]!.trim()}`, kept.seq);
  else otherwise();
  return kept !== undefined;
}

function endOf(scene: Scene, known: Say, unknown: Say): void {
  const exit = mineOf(scene, 'kernel:exit').find(({ data }) => !data.expected);
  const error = exit?.data.error;
  if (exit && error) known(`an error nobody caught ended the thread: ${error.code}: ${error.message}`, exit.seq);
  else if (exit) unknown(`why the thread ended with code ${exit.data.code}: it left no error`, exit.seq);
  else {
    const failed = mineOf(scene, 'kernel:state').find(({ data }) => data.to === 'stopping' || data.to === 'failed');
    if (failed) known(failed.data.reason, failed.seq);
    else unknown('why it ended: the record holds no end of its thread');
  }
}

function cellEndOf(scene: Scene, known: Say, unknown: Say): void {
  const exit = mineOf(scene, 'cell:exit').findLast(({ seq, data }) => !data.expected && seq <= scene.opened.seq + 1);
  const stuck = mineOf(scene, 'kernel:stuck').findLast(({ seq }) => exit !== undefined && seq < exit.seq);
  if (stuck)
    known(`the supervisor ended the process because the thread of ${stuck.kernel} could not be ended alone`, stuck.seq);
  else if (exit?.data.signal === 'SIGKILL')
    unknown('who sent SIGKILL: the operating system for want of memory, or somebody; the supervisor did not', exit.seq);
  else if (exit) {
    known(`the process ended with ${exit.data.signal ?? `exit code ${exit.data.code}`}`, exit.seq);
    const only = exit.data.kernels.length === 1 ? exit.data.kernels[0] : undefined;
    if (only !== undefined) unknown(`what in it did that; ${only} was the only kernel there`, exit.seq);
    else unknown('which of its kernels did that, if any', exit.seq);
  } else unknown('how the process ended: the record holds no end of it');
}

function frozenOf(scene: Scene, known: Say, unknown: Say): void {
  const stopped = mineOf(scene, 'detector:fire').find(({ data }) => data.evidence['stopped'] === true);
  if (stopped) {
    known('its process was stopped by a signal (SIGSTOP, or a debugger)', stopped.seq);
    unknown('who stopped it');
  } else unknown('what keeps its main thread from answering');
}

function givenUpOf(scene: Scene, known: Say, unknown: Say): void {
  // By order: the order has been told.
  if (mineOf(scene, 'kernel:hand').some(({ data }) => data.order === 'quarantine')) return;
  const ends = mineOf(scene, 'kernel:exit').filter(({ data }) => !data.expected && data.error);
  const last = ends.at(-1);
  if (last) {
    const same = ends.filter(({ data }) => data.error!.message === last.data.error!.message);
    const often = same.length === ends.length ? `each time the same error` : `the last error of ${ends.length}`;
    known(`${often}: ${last.data.error!.code}: ${last.data.error!.message}`, ...same.map(({ seq }) => seq));
    return;
  }
  const stops = mineOf(scene, 'kernel:state').filter(({ data }) => data.to === 'stopping');
  if (stops.length > 0) known(stops.at(-1)!.data.reason, stops.at(-1)!.seq);
  else unknown('why it went down each time: no record states it');
}
