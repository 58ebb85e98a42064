import { GraceError } from '@grace/contracts';

export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** `kernel.verb`, with `*` for either. */
export const VERB_PATTERN = /^(\*|[a-z][a-z0-9_]{0,63})\.(\*|[A-Za-z][A-Za-z0-9_]{0,63})$/;

/** Verbs that only tell. Whoever may look may call these, and governance is not asked about them. */
const READING = [
  '*.status',
  'message_bus.stats',
  'message_bus.permits',
  'immutable_log.read',
  'immutable_log.search',
  'immutable_log.prove',
  'governance.approvals',
  'governance.decisions',
  'governance.policies',
  'self_healing.history',
  'self_healing.playbooks',
  'infrastructure_manager.inventory',
  'infrastructure_manager.pressure',
  'infrastructure_manager.usage',
  'memory_fusion.recall',
  'memory_fusion.stats',
  'librarian.document',
  'librarian.search',
  'health_monitor.health',
  'health_monitor.history',
  'health_monitor.slo',
  'trigger_mesh.fired',
  'scheduler.due',
  'scheduler.history',
  'scheduler.jobs',
  'clarity_framework.explain',
  'clarity_framework.timeline',
  'verification_framework.violations',
  'api_server.routes',
];

/** What guards the system is an administrator's; tokens are given by their own routes alone. */
const ADMINISTRATION = ['governance.*', 'secret_manager.*', 'message_bus.*', 'immutable_log.repair', 'api_server.*'];

/** They ask the policies themselves about the one who calls. */
const JUDGES = ['governance', 'secret_manager'];

export interface VerbAccess {
  role: Role;
  /** Narrower than the role; null: all that the role may. */
  verbs: readonly string[] | null;
}

export function includesRole(held: Role, wanted: Role): boolean {
  return ROLES.indexOf(held) >= ROLES.indexOf(wanted);
}

/** @throws GraceError `FORBIDDEN` saying what would be needed */
export function checkVerb({ role, verbs }: VerbAccess, kernel: string, verb: string): void {
  const wanted: Role = isReading(kernel, verb) ? 'viewer' : isOf(ADMINISTRATION, kernel, verb) ? 'admin' : 'operator';
  if (!includesRole(role, wanted))
    throw new GraceError('FORBIDDEN', `${kernel}.${verb} needs the role ${wanted}, this token has ${role}`);
  if (verbs !== null && !isOf(verbs, kernel, verb))
    throw new GraceError('FORBIDDEN', `this token may call ${verbs.join(', ') || 'no verb'}, not ${kernel}.${verb}`);
}

export const isReading = (kernel: string, verb: string): boolean => isOf(READING, kernel, verb);

/** Whether governance is asked by us before the verb is called. */
export const needsPermission = (kernel: string, verb: string): boolean =>
  !isReading(kernel, verb) && !JUDGES.includes(kernel);

function isOf(patterns: readonly string[], kernel: string, verb: string): boolean {
  return patterns.some((pattern) => {
    const [wantedKernel, wantedVerb] = pattern.split('.');
    return (wantedKernel === '*' || wantedKernel === kernel) && (wantedVerb === '*' || wantedVerb === verb);
  });
}
