/**
 * @module
 * The kernels of the product, one folder each. Their code is loaded by their own threads; this module gives their manifests, and the
 * readers of the files they are configured with, which the composition root checks once for all.
 */
export { parsePlan } from './agentic_spine/plans/file.ts';
export { catalogue } from './catalogue.ts';
export { checkPolicies } from './governance/policies/check.ts';
export { versionOf as policyVersion } from './governance/policies/policy-set.ts';
export { readFiles as readPolicyFiles, readSources as readPolicySources } from './governance/policies/sources.ts';
export { parsePlaybook } from './self_healing/playbook/parse.ts';
export { parseTriggers } from './trigger_mesh/rules/file.ts';
export { parseInvariants } from './verification_framework/rules/file.ts';
