import assert from 'node:assert/strict';
import { join, resolve, sep } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { insidePath } from './request.ts';

test('a path that is accepted stays in its folder, however it is put together', () => {
  const part = fc.constantFrom('..', '.', '', 'a', 'b.mjs', '...', '..a', '~', ' ', '%2e%2e', '\\', '\0', 'é', '/');
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 8 }).map((parts) => parts.join('/')),
      (name) => {
        let path: string;
        try {
          path = insidePath(name);
        } catch (error) {
          assert.match((error as { code: string }).code, /^(BAD_INPUT|FORBIDDEN)$/);
          return;
        }
        assert.ok(resolve('/home/run', path).startsWith(`/home/run${sep}`), path);
        assert.equal(join('/home/run', path), resolve('/home/run', name));
      },
    ),
    { numRuns: 500 },
  );
});
