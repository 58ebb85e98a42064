import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { code, fence, text, xml } from './escape.ts';

test('names stay readable', () => {
  assert.equal(text('health_monitor restarted (#12) in 4.21 s'), 'health_monitor restarted (#12) in 4.21 s');
  assert.equal(code('health_monitor'), '`health_monitor`');
});

test('markup becomes text', () => {
  assert.equal(text('a|b'), 'a\\|b');
  assert.equal(text('*b* `c` [d](e)'), '\\*b\\* \\`c\\` \\[d\\](e)');
  assert.equal(text('_x_ <b> &amp;'), '\\_x\\_ &lt;b> &amp;amp;');
  assert.equal(text('# title'), '\\# title');
  assert.equal(text('- item'), '\\- item');
  assert.equal(text('1. item'), '1\\. item');
  assert.equal(code('a`b|c'), 'a\\`b\\|c');
});

test('no text has a line break or a bare pipe', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      assert.doesNotMatch(text(value), /[\n\r\u2028\u2029]/);
      assert.doesNotMatch(text(value).replace(/\\./g, ''), /[|`<]/);
      assert.doesNotMatch(xml(value), /[<"'\u0000-\u001f]|&(?!(amp|lt|gt|quot|#39);)/);
    }),
  );
});

test('a fence is longer than what it holds', () => {
  assert.equal(fence('a ``` b'), '````\na ``` b\n````');
});

test('endless text is cut and says so', () => {
  assert.match(text('x'.repeat(5000)), /x\.\.\. \(3000 more characters\)$/);
});
