import { fileURLToPath } from 'node:url';

const FIXTURE = fileURLToPath(new URL('fixtures/misbehaving.mjs', import.meta.url));

/** The module of a kernel that misbehaves as told; see fixtures/misbehaving.mjs. */
export function misbehaving(id: string): string {
  return `import { misbehave } from ${JSON.stringify(FIXTURE)};\nexport default misbehave(${JSON.stringify(id)});\n`;
}

/** Configuration and files for several of them: id -> its entry in grace.yaml beside the module. */
export function misbehavingKernels(
  entries: Record<string, object>,
  settings: object = {},
): { config: object; files: Record<string, string>; args: string[] } {
  const ids = Object.keys(entries);
  return {
    config: {
      settings,
      kernels: Object.fromEntries(
        ids.map((id) => [id, { module: `./${id}.mjs`, needs: ['message_bus'], ...entries[id] }]),
      ),
    },
    files: Object.fromEntries(ids.map((id) => [`${id}.mjs`, misbehaving(id)])),
    args: ['--only', ids.join(',')],
  };
}
