import { didYouMean } from '@grace/contracts';

/**
 * Verbs that only look. Facts are gathered on a timer, in this kernel's name and without asking the policies, so nothing else may be named in
 * a rule; `config.reads` adds those of other kernels.
 */
const READS = [
  ...['message_bus.stats', 'message_bus.permits', 'message_bus.deadLetters'],
  ...['immutable_log.read', 'immutable_log.search', 'health_monitor.health', 'health_monitor.history'],
  ...['infrastructure_manager.inventory', 'infrastructure_manager.usage', 'infrastructure_manager.pressure'],
  ...['governance.policies', 'governance.approvals', 'governance.permits', 'governance.decisions'],
  ...['self_healing.playbooks', 'self_healing.history', 'memory_fusion.recall', 'memory_fusion.stats'],
  ...['librarian.document', 'librarian.search', 'trigger_mesh.rules', 'trigger_mesh.fired'],
  ...['scheduler.due', 'scheduler.history', 'sandbox.runs', 'coding_agent.tasks', 'learning_integration.statistics'],
  ...['clarity_framework.components', 'clarity_framework.decisions', 'clarity_framework.timeline'],
  ...['clarity_framework.trust', 'meta_loop.history', 'meta_loop.proposals', 'agentic_spine.goals'],
];

/** Why a fact cannot come from this verb; undefined: it can. */
export function readingProblem(kernel: string, verb: string, own: string, more: readonly string[]): string | undefined {
  const name = `${kernel}.${verb}`;
  if (kernel === own) return `a fact of ${own} itself would ask in a circle`;
  const offered = [...READS, ...more];
  if (verb === 'status' || offered.includes(name)) return undefined;
  return `${name} is not known to only look${didYouMean(name, offered)}; facts come from status of every kernel, ${offered.join(', ')}`;
}
