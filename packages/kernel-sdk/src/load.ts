import { existsSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { GraceError } from '@grace/contracts';
import type { KernelDefinition } from './kernel.ts';

/**
 * Imports a kernel's module.
 * @throws GraceError `KERNEL_MISSING` when there is no such file, `KERNEL_INVALID` when its default export is no kernel
 */
export async function loadKernel(id: string, module: string): Promise<KernelDefinition> {
  const url = module.startsWith('file:') ? module : pathToFileURL(module).href;
  const path = fileURLToPath(url);
  if (!existsSync(path))
    throw new GraceError('KERNEL_MISSING', `${id}: there is no module ${path}`, { kernel: id, module: path });
  const { default: definition } = (await import(url)) as { default?: Partial<KernelDefinition> };
  if (definition === null || typeof definition !== 'object' || typeof definition.start !== 'function') {
    throw new GraceError(
      'KERNEL_INVALID',
      `${id}: the default export of ${path} is not a kernel; expected { id, start(ctx) }`,
      { kernel: id },
    );
  }
  if (definition.id !== id) {
    throw new GraceError(
      'KERNEL_INVALID',
      `${id}: ${path} exports the kernel "${definition.id}"; its id must be that of its manifest`,
      { kernel: id },
    );
  }
  return definition as KernelDefinition;
}
