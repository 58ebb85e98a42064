import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { ERRORS, fromWireError, GraceError, isErrorCode, toWireError } from './errors.ts';

describe('the registry and docs/errors.md', () => {
  const text = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
  const sections = new Map(
    text
      .split(/^### /m)
      .slice(1)
      .map((section) => {
        const [code, ...body] = section.split(/^## /m)[0]!.trim().split('\n');
        return [code!, body.join('\n').trim()] as const;
      }),
  );

  test('every code has its section, and every section a code', () => {
    assert.deepEqual([...sections.keys()].sort(), Object.keys(ERRORS).sort());
  });

  test('each section says what the registry says, and then what to do', () => {
    for (const [code, meaning] of Object.entries(ERRORS)) {
      const body = sections.get(code) ?? '';
      assert.ok(body.startsWith(meaning), `${code}: expected "${meaning}"`);
      assert.ok(body.length > meaning.length + 10, `${code}: says nothing about what to do`);
    }
  });
});

describe('errors that cross a border', () => {
  test('code, message and details arrive; the stack arrives as evidence', () => {
    const sent = new GraceError('UNKNOWN_VERB', 'no verb "x"', { verb: 'x' });
    const back = fromWireError(JSON.parse(JSON.stringify(toWireError(sent))));
    assert.equal(back.code, 'UNKNOWN_VERB');
    assert.equal(back.message, 'no verb "x"');
    assert.equal(back.details['verb'], 'x');
    assert.equal(back.details['remoteStack'], sent.stack);
  });

  test('anything thrown has a wire form with a registered code', () => {
    for (const thrown of [
      new Error('x'),
      'text',
      undefined,
      null,
      7,
      { code: 'USAGE' },
      Object.assign(new Error('e'), { code: 'EACCES' }),
    ]) {
      const wire = toWireError(thrown);
      assert.equal(wire.code, 'INTERNAL');
      assert.equal(typeof wire.message, 'string');
    }
    assert.equal(toWireError(new Error('x'), 'KERNEL_START').code, 'KERNEL_START');
  });

  test('a code from a newer version is not trusted', () => {
    assert.equal(fromWireError({ code: 'toString' as never, message: 'm' }).code, 'INTERNAL');
    assert.equal(isErrorCode('constructor'), false);
  });
});
