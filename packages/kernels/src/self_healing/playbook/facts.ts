import { didYouMean } from '@grace/contracts';
import type { Clause, Playbook } from './types.ts';

/** What a clause or placeholder may name: group -> fields. A field may be followed by further names where its value is an object. */
export const FACTS = {
  incident: [
    'id',
    'kind',
    'subject',
    'cell',
    'incarnation',
    'title',
    'severity',
    'condition',
    'escalated',
    'openedMono',
    'correlation',
  ],
  /** The kernel the run is about; `known` is false when the target is a cell, a principal or the machine. */
  target: [
    'id',
    'known',
    'state',
    'cell',
    'incarnation',
    'restarts',
    'heartbeatAgeMs',
    'cpuPercent',
    'heapBytes',
    'externalBytes',
    'elu',
    'condition',
    'throttled',
    'quarantined',
    'logs',
    /** Log records made since the last look before the incident. */
    'logsGained',
  ],
  /** All other kernels. `restartedWithoutCause`: restarted since the last look before the incident, with no incident of their own. */
  neighbours: ['total', 'running', 'restartedWithoutCause'],
  /** The target as a principal of the bus. `mutedForMs` is 0 when it is not muted. */
  principal: ['muted', 'mutedForMs', 'denied'],
  system: ['state', 'ready', 'total', 'lagMsMax'],
  run: ['id', 'target'],
} as const satisfies Record<string, readonly string[]>;

export type FactGroup = keyof typeof FACTS;

/** Observed values by group; a group that could not be observed is absent, and clauses over it are unknown. */
export type Facts = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Why `path` names no fact, or undefined when it does. `steps` are the ids of the playbook's steps. */
export function factProblem(path: string, steps: readonly string[]): string | undefined {
  const [head = '', second = '', ...rest] = path.split('.');
  if (head === 'before')
    return second === 'steps' ? 'there are no steps before the run' : factProblem([second, ...rest].join('.'), []);
  if (head === 'steps') {
    if (!steps.includes(second)) return `"${second}" is not a step${didYouMean(second, steps)}`;
    const field = rest[0] ?? '';
    return STEP_FIELDS.includes(field) ? undefined : `a step has no "${field}"${didYouMean(field, STEP_FIELDS)}`;
  }
  const groups = [...Object.keys(FACTS), 'steps', 'before'];
  if (!Object.hasOwn(FACTS, head))
    return `"${head}" is not a group of facts${didYouMean(head, groups)}; groups: ${groups.join(', ')}`;
  const fields: readonly string[] = FACTS[head as FactGroup];
  return fields.includes(second) ? undefined : `${head} has no "${second}"${didYouMean(second, fields)}`;
}

const STEP_FIELDS: readonly string[] = ['ok', 'skipped', 'attempts', 'ms', 'detail', 'result'];

/** The groups a playbook looks at, so that nothing else is observed. */
export function groupsOf(playbook: Playbook): ReadonlySet<FactGroup> {
  const text = JSON.stringify(playbook);
  const clauses = [
    ...playbook.conditions,
    ...playbook.worse,
    ...playbook.postCondition.clauses,
    ...playbook.steps.flatMap((step) => [
      ...step.when,
      ...step.verify,
      ...(step.action.kind === 'wait_until' ? step.action.clauses : []),
    ]),
  ];
  const named = [...clauses.flatMap(factsOf), ...placeholdersIn(text)].map((path) => path.replace(/^before\./, ''));
  const heads = new Set(named.map((path) => path.split('.')[0]));
  return new Set((Object.keys(FACTS) as FactGroup[]).filter((group) => heads.has(group)));
}

export function factsOf(clause: Clause): string[] {
  return 'any' in clause ? clause.any.flatMap(factsOf) : [clause.fact];
}

/** The paths of all `${path}` in a text. */
export function placeholdersIn(text: string): string[] {
  return [...text.matchAll(/\$\{([^}]*)\}/g)].map((match) => match[1]!.trim());
}
