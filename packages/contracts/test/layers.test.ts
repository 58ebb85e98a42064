import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const { violations } = (await import(new URL('../../../scripts/layers.mjs', import.meta.url).href)) as {
  violations: (root: string) => string[];
};

/** What the rule says about a tree of these files. */
function judge(files: Record<string, string>): string[] {
  const tree = mkdtempSync(join(tmpdir(), 'grace-layers-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      const file = join(tree, 'packages', path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    return violations(tree);
  } finally {
    rmSync(tree, { recursive: true });
  }
}

describe('the layer rule', () => {
  test('the tree as it is keeps it', () => {
    assert.deepEqual(violations(root), []);
  });

  test('a forbidden import is found, with file, line and what is allowed', () => {
    const found = judge({
      'report/src/index.ts': "import { a } from '@grace/contracts';\nimport { b } from '@grace/supervisor';\n",
    });
    assert.deepEqual(found, [
      'packages/report/src/index.ts:2: report may not import supervisor; it may import contracts (docs/map.md, Packages)',
    ]);
  });

  test('a forbidden import is found in every form it can take', () => {
    for (const form of [
      "import type { A } from 'NAME';",
      "import 'NAME';",
      "export * from 'NAME';",
      "import {\n  a,\n  b,\n} from 'NAME';",
      "const a = await import('NAME');",
    ]) {
      const text = form.replace('NAME', '@grace/supervisor');
      assert.equal(judge({ 'report/src/index.ts': text }).length, 1, text);
    }
  });

  test('an import deep into another package is found, by path and by name', () => {
    const [byPath] = judge({
      'chaos/src/index.ts': "import { a } from '../../contracts/src/errors.ts';",
      'contracts/src/errors.ts': 'export const a = 1;',
    });
    assert.match(byPath!, /^packages\/chaos\/src\/index\.ts:1: imports ".*" across a package border/);
    const [byName] = judge({ 'chaos/src/index.ts': "import { a } from '@grace/bus/broker';" });
    assert.match(byName!, /chaos may not import bus\/broker/);
  });

  test('the broker belongs to message_bus alone', () => {
    const text = "import { createBroker } from '@grace/bus/broker';";
    assert.deepEqual(judge({ 'kernels/src/message_bus/kernel.ts': text }), []);
    assert.match(
      judge({ 'kernels/src/librarian/kernel.ts': text })[0]!,
      /only the message_bus kernel may import the broker/,
    );
  });

  test('a circle of imports is found and named', () => {
    const found = judge({
      'ledger/src/a.ts': "import { b } from './b.ts';\nexport const a = 1;",
      'ledger/src/b.ts': "import { c } from './c.ts';\nexport const b = 1;",
      'ledger/src/c.ts': "import { a } from './a.ts';\nexport const c = 1;",
    });
    assert.deepEqual(found, [
      'import cycle: packages/ledger/src/a.ts -> packages/ledger/src/b.ts -> packages/ledger/src/c.ts -> packages/ledger/src/a.ts',
    ]);
  });

  test('tests may use the testkit, products may not', () => {
    const text = "import { poll } from '@grace/testkit';";
    assert.deepEqual(judge({ 'ledger/src/a.test.ts': text, 'ledger/test/b.ts': text }), []);
    assert.equal(judge({ 'ledger/src/a.ts': text }).length, 1);
  });
});
