import { registerHooks } from 'node:module';

/** Lets a user's module outside the repository write `import { defineKernel } from '@grace/kernel-sdk'` without installing anything. */
export function resolveProductImport(sdkUrl: string): void {
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === '@grace/kernel-sdk' ? { url: sdkUrl, shortCircuit: true } : next(specifier, context),
  });
}
