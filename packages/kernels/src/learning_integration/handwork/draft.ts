import type { ActName } from './act.ts';
import type { Pattern, PatternStep } from './pattern.ts';

/** A playbook that does what people did. `yaml` null: a playbook cannot do it, and `why` says what is missing. */
export interface Draft {
  id: string;
  kind: string;
  /** What was done, in words. */
  acts: string[];
  times: number;
  by: string[];
  firstMs: number;
  lastMs: number;
  /** Where it comes from. */
  provenance: { incidents: string[]; records: number[] };
  yaml: string | null;
  why: string | null;
}

/** Of the provenance, as the file names it. */
const NAMED_MAX = 10;

type Parse = (text: string, file: string) => unknown;

/**
 * Writes the playbook for a pattern, in the schema of `configs/playbooks`.
 * @param parse the validator of self_healing: what it does not take is no draft
 */
export function draftOf(pattern: Pattern, parse: Parse): Draft {
  const { id, kind, steps, incidents, records, by, firstMs, lastMs } = pattern;
  const about = { id, kind, times: incidents.length, by, firstMs, lastMs, provenance: { incidents, records } };
  const acts = steps.map(words);
  const missing = steps.find(({ act, on }) => actionOf(act, on, pattern) === undefined);
  if (missing) return { ...about, acts, yaml: null, why: `a playbook has no action for ${words(missing)}` };
  const yaml = write(pattern, acts);
  try {
    parse(yaml, `${id}.yaml`);
  } catch (error) {
    return { ...about, acts, yaml: null, why: `no playbook can say it: ${(error as Error).message}` };
  }
  return { ...about, acts, yaml, why: null };
}

function words({ act, on }: PatternStep): string {
  return on === null ? act : `${act} ${on}`;
}

function write(pattern: Pattern, acts: readonly string[]): string {
  const { id, kind, steps, incidents, records } = pattern;
  const isOnKernel = steps.some(({ act, on }) => act === 'restart' && on === null);
  const post = steps.some(({ act, on }) => act === 'mute' && on === null)
    ? ['{ fact: principal.muted, is: true }']
    : isOnKernel
      ? ['{ fact: target.state, is: running }']
      : ['any: [{ fact: target.known, is: false }, { fact: target.state, is: running }]'];
  return `${[
    `# A draft: people did this by hand ${incidents.length} times. It does nothing until it is read, named, and put among the playbooks.`,
    `# Incidents: ${named(incidents)}`,
    `# Journal records: ${named(records)}`,
    `id: ${id}`,
    `title: ${JSON.stringify(`What people did ${incidents.length} times against ${kind}: ${acts.join(', ')}`.slice(0, 300))}`,
    `trigger: [${kind}]`,
    ...(isOnKernel ? ['', 'conditions:', '  - { fact: target.known, is: true }'] : []),
    '',
    'guards: { budget: 3, window: 10m, cool_down: 30s }',
    '',
    'steps:',
    ...steps.flatMap(({ act, on }, i) => stepLines(act, on, i + 1, pattern)),
    '',
    'post_condition:',
    '  all:',
    ...post.map((clause) => `    - ${clause}`),
    '  hold: 1s',
    '  within: 30s',
  ].join('\n')}\n`;
}

function stepLines(act: ActName, on: string | null, number: number, pattern: Pattern): string[] {
  const { action, deadline, verify, look } = actionOf(act, on, pattern)!;
  const name = `${act}_${number}`;
  return [
    `  - id: ${name}`,
    `    action: ${action}`,
    `    deadline: ${deadline}`,
    ...(verify.length === 0 ? [] : ['    verify:', ...verify.map((clause) => `      - ${clause}`)]),
    ...(look === null
      ? []
      : [
          `  - id: ${name}_helped`,
          `    action: ${look}`,
          '    deadline: 3s',
          '    retry: { attempts: 3, delay: 300ms }',
        ]),
  ];
}

interface Written {
  action: string;
  deadline: string;
  verify: string[];
  /** An action that sees whether it helped. */
  look: string | null;
}

/** How a playbook does it; undefined: it cannot. Access is never widened, so there is no unmute. */
function actionOf(act: ActName, on: string | null, { kind, periodMs }: Pattern): Written | undefined {
  // A name that looks like a placeholder would become something else.
  if (on?.includes('${')) return undefined;
  const reason = JSON.stringify(`people did so against ${kind}`);
  switch (act) {
    case 'restart': {
      const kernel = on === null ? fact('target.id') : JSON.stringify(on);
      const verify =
        on === null
          ? [
              `{ fact: target.incarnation, above: ${fact('before.target.incarnation')} }`,
              '{ fact: target.state, is: running }',
            ]
          : [];
      const look = `{ probe: { kernel: ${kernel} } }`;
      return { action: `{ restart: { kernel: ${kernel}, reason: ${reason} } }`, deadline: '20s', verify, look };
    }
    case 'mute': {
      const principal = on === null ? fact('run.target') : JSON.stringify(on);
      const input = `{ principal: ${principal}, periodMs: ${Math.max(1, Math.round(periodMs ?? 10_000))} }`;
      const verify = on === null ? ['{ fact: principal.muted, is: true }'] : [];
      return {
        action: `{ verb: { kernel: message_bus, verb: mute, input: ${input} } }`,
        deadline: '2s',
        verify,
        look: null,
      };
    }
    case 'repair':
      // The other record, the journal, is repaired by the supervisor itself.
      return on === 'immutable_log'
        ? {
            action: `{ verb: { kernel: immutable_log, verb: repair, input: { reason: ${reason} } } }`,
            deadline: '20s',
            verify: [],
            look: '{ verb: { kernel: immutable_log, verb: verify, input: {} } }',
          }
        : undefined;
    default:
      return undefined;
  }
}

/** A placeholder, as a playbook writes it. */
function fact(path: string): string {
  return `"\${${path}}"`;
}

function named(list: readonly (string | number)[]): string {
  const shown = list.slice(-NAMED_MAX).join(', ');
  return list.length > NAMED_MAX ? `${shown}, and ${list.length - NAMED_MAX} before` : shown;
}
