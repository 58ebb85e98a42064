/**
 * @module
 * The configuration files of Grace, checked: each problem with file, line, what was expected and the nearest valid name.
 * Apart from the other contracts because it needs a validator, which kernel threads should not pay for.
 */
export { parseAcl } from './acl.ts';
export { compilePlan, type PlanSources } from './compile-plan.ts';
export { type GraceConfig, type KernelEntry, parseGraceConfig } from './grace-config.ts';
export { type ReadDocument, readDocument, readYaml } from './read-yaml.ts';
export { duration, kernelId, period, size, subjectPattern } from './values.ts';
