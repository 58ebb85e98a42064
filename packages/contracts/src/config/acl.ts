import { z } from 'zod';
import type { AclDocument } from '../envelope.ts';
import { readYaml } from './read-yaml.ts';
import { subjectPattern } from './values.ts';

const side = z
  .strictObject({
    allow: z.array(subjectPattern).default([]),
    deny: z.array(subjectPattern).default([]),
  })
  .default({ allow: [], deny: [] });

/** `publish` and `subscribe`, each with `allow` and `deny`; what is left out is empty, and no rule means denied. */
export const aclRules = z.strictObject({ publish: side, subscribe: side });

const aclDocument = z.strictObject({
  kernels: aclRules,
  principals: z.record(
    z.string().regex(/^[a-z][a-z0-9_]*$/, 'expected the name of a principal: a kernel id, cli, workload, ...'),
    aclRules,
  ),
});

/**
 * The access rules of the bus (`configs/acl.yaml`).
 * @throws GraceError `CONFIG_INVALID`
 */
export function parseAcl(text: string, file: string): AclDocument {
  return readYaml(text, file, aclDocument);
}
