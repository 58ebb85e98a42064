/** The entry of a thread for a kernel that lies in a module of its own: a product's, or from source. Built-in ones are bundled with theirs. */
import { loadKernel } from '../load.ts';
import { runThread } from './run.ts';

runThread(async ({ kernel, module, builtin }) => {
  if (!builtin) {
    const { resolveProductImport } = await import('./product-import.ts');
    resolveProductImport(new URL('./kernel-sdk.js', import.meta.url).href);
  }
  return await loadKernel(kernel, module);
});
