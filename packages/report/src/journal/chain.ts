import type { AnyRecord } from '@grace/contracts';
import type { ChainStep, TrialFacts } from '../model.ts';
import { duration, list, observed, percent } from '../text/units.ts';
import type { Journal } from './journal.ts';
import { backlogText, recordText } from './reaction.ts';
import { inTrial } from './trial.ts';

/**
 * What followed from a fault, as far as the journal can show it: a record belongs to the chain when it shares an identity (lease,
 * correlation, incident, playbook run, kernel, cell or principal) with the injection or with an earlier record of the chain. Being
 * close in time is not enough.
 */
export function causalChain(journal: Journal, trial: Omit<TrialFacts, 'chain' | 'facets'>): ChainStep[] {
  const start = journal.of('trial:start').find((record) => record.data.trial === trial.trial);
  const end = journal.of('trial:end').find((record) => record.data.trial === trial.trial);
  if (!start) return [];
  const during = inTrial(trial, start, end);
  const known = new Map<string, number>();
  const said = new Set<string>();
  const steps: ChainStep[] = [];
  const { lease, correlation, target, also = [] } = start.data;
  const effect = journal.of('fault:effect').find((record) => record.data.lease === lease && record.data.proven);
  if (!effect) return [];
  const zeroMono = effect.data.atMono;
  const seed = [`lease ${lease}`, `correlation ${correlation}`, ...[target, ...also].map((name) => `subject ${name}`)];
  for (const record of journal.records) {
    if (!during(record)) continue;
    const told = tell(record);
    if (told === undefined || repeated(record, said)) continue;
    const keys = identities(record);
    const isOrigin = (record.name === 'fault:inject' || record.name === 'fault:effect') && record.data.lease === lease;
    const shared = isOrigin ? `lease ${lease}` : keys.find((key) => known.has(key));
    if (shared === undefined) continue;
    const before = known.get(shared);
    const atMono = record.name === 'fault:effect' ? record.data.atMono : record.monoMs;
    steps.push({
      ref: `#${record.seq}`,
      afterMs: Math.round((atMono - zeroMono) * 1000) / 1000,
      text: told,
      link: before === undefined ? 'the fault itself' : `same ${shared} as #${before}`,
    });
    for (const key of isOrigin ? seed : keys) if (!known.has(key)) known.set(key, record.seq);
  }
  return steps;
}

/** Denials come by the second: the first of a principal on a subject tells it. */
function repeated(record: AnyRecord, said: Set<string>): boolean {
  if (record.name !== 'bus:denied') return false;
  const key = `${record.data.principal} ${record.data.subject}`;
  return said.has(key) || !said.add(key);
}

/** The chain up to the record that shows a symptom; empty when that record is no part of it. */
export function chainTo(chain: readonly ChainStep[], symptom: number | null): ChainStep[] {
  const at = symptom === null ? -1 : chain.findIndex((step) => step.ref === `#${symptom}`);
  return at < 0 ? [] : chain.slice(0, at + 1);
}

function identities(record: AnyRecord): string[] {
  const keys: string[] = [];
  if (record.correlation !== undefined) keys.push(`correlation ${record.correlation}`);
  if (record.kernel !== undefined) keys.push(`subject ${record.kernel}`);
  switch (record.name) {
    case 'fault:inject':
    case 'fault:effect':
    case 'fault:undo':
      keys.push(`lease ${record.data.lease}`);
      break;
    case 'cell:exit':
      if (record.cell !== undefined) keys.push(`subject ${record.cell}`);
      for (const kernel of record.data.kernels) keys.push(`subject ${kernel}`);
      break;
    case 'cell:start':
    case 'cell:online':
      if (record.cell !== undefined) keys.push(`subject ${record.cell}`);
      break;
    case 'incident:open':
      keys.push(`incident ${record.data.incident.id}`, `subject ${record.data.incident.subject}`);
      break;
    case 'incident:close':
    case 'incident:escalate':
      keys.push(`incident ${record.data.id}`);
      break;
    case 'detector:fire':
      keys.push(`incident ${record.data.incident}`, `subject ${record.data.subject}`);
      break;
    case 'playbook:start':
    case 'playbook:end':
      keys.push(`incident ${record.data.incident}`, `run ${record.data.run}`);
      break;
    case 'bus:denied':
    case 'bus:muted':
    case 'bus:unmuted':
      keys.push(`subject ${record.data.principal}`);
      break;
    case 'record:damaged':
    case 'record:repaired':
      keys.push(`subject ${record.data.ledger}`);
      break;
    case 'bus:backlog':
      keys.push(`subject ${record.data.consumer}`);
      break;
    case 'kernel:evidence':
      if (record.data.incident !== null) keys.push(`incident ${record.data.incident}`);
      break;
    default:
  }
  return keys;
}

/** One line for a milestone; undefined for records that would only pad the chain. */
function tell(record: AnyRecord): string | undefined {
  const kernel = record.kernel ?? 'a kernel';
  const cell = record.cell ?? 'a cell';
  switch (record.name) {
    case 'fault:inject':
      return `fault ${record.data.kind} put on ${record.data.target}`;
    case 'fault:effect':
      return record.data.proven ? `the fault acts: ${observed(record.data.observed)}` : undefined;
    case 'fault:undo':
      return `fault undone (${record.data.why}), ${record.data.verified ? 'verified' : 'not verified'}`;
    case 'cell:exit':
      return `cell ${cell} ended (${record.data.signal ?? `code ${record.data.code}`}) with ${list(record.data.kernels, 6)}`;
    case 'cell:online':
      return `cell ${cell} is back after ${duration(record.data.ms)}`;
    case 'kernel:condition':
      return `${kernel} judged ${record.data.to} (was ${record.data.from})`;
    case 'kernel:exit':
      return `${kernel} ended with code ${record.data.code}${record.data.error ? `: ${record.data.error.message}` : ''}`;
    case 'kernel:stuck':
      return `${kernel} is stuck: ${record.data.rung}`;
    case 'kernel:limit':
      return record.data.cpu === null
        ? `CPU limit of ${kernel} lifted`
        : `${kernel} held to ${percent(record.data.cpu)} of a core (${record.data.why}) by ${record.data.method}`;
    case 'kernel:pressure':
      return `${record.data.of} memory of ${kernel} at ${percent(record.data.ratio)} of its limit`;
    case 'kernel:move':
      return `${kernel} moves from ${record.data.from} to ${record.data.to} (${record.data.why})`;
    case 'kernel:evidence':
      return `${record.data.kind} of ${record.kernel ?? cell} kept in ${record.data.file}`;
    case 'kernel:restart':
      return `restart ${record.data.attempt} of ${kernel} ordered by ${record.data.by}: ${record.data.cause}`;
    case 'kernel:ready':
      return `${kernel} is ready again after ${duration(record.data.readyMs)}`;
    case 'kernel:quarantine':
      return `${kernel} quarantined after ${record.data.restarts} restarts: ${record.data.cause}`;
    case 'kernel:probe':
      return record.data.ok
        ? undefined
        : `functional probe of ${kernel} failed: ${record.data.error?.message ?? record.data.why}`;
    case 'detector:fire':
      return `noticed by ${record.data.method} on ${record.data.subject}`;
    case 'incident:open':
      return `incident ${record.data.incident.id} opened: ${record.data.incident.title}`;
    case 'incident:escalate':
      return `incident ${record.data.id} escalated: ${record.data.reason}`;
    case 'incident:close':
      return `incident ${record.data.id} closed: ${record.data.outcome}`;
    case 'playbook:start':
      return `playbook ${record.data.playbook} started on ${record.data.target}`;
    case 'playbook:end':
      return `playbook ${record.data.playbook} ended ${record.data.outcome}${record.data.detail === '' ? '' : `: ${record.data.detail}`}`;
    case 'bus:denied':
      return `${record.data.count} messages of ${record.data.principal} to ${record.data.subject} denied`;
    case 'record:damaged':
    case 'record:repaired':
      return recordText(record);
    case 'bus:backlog':
      return backlogText(record.data);
    case 'bus:muted':
      return `${record.data.principal} muted for ${duration(record.data.periodMs)}`;
    case 'bus:unmuted':
      return `${record.data.principal} may publish again`;
    default:
      return undefined;
  }
}
