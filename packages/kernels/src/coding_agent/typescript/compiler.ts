import { createRequire } from 'node:module';
import type * as ts from 'typescript6';

export type { ts };
export type TypeScript = typeof ts;

let loaded: TypeScript | undefined;

/** The compiler with its language service: 250 to 500 ms and about 60 MB at first use, so only in threads of the pool. */
export function compiler(): TypeScript {
  loaded ??= createRequire(import.meta.url)('typescript6') as TypeScript;
  return loaded;
}
