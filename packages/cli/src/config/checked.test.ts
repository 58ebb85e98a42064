import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parsePlaybook } from '@grace/kernels';
import { type Checked, checkBuiltIn, parseChecked } from './checked.ts';

const CONFIGS = fileURLToPath(new URL('../../../../configs', import.meta.url));
const read = (file: string): string => readFileSync(join(CONFIGS, file), 'utf8');

describe('configuration that the build has checked', () => {
  let checked: Checked;
  before(async () => {
    checked = await checkBuiltIn(CONFIGS);
  });

  test('is all of what is built in, as its parser reads it', () => {
    const files = ['playbooks', 'plans'].flatMap((folder) => readdirSync(join(CONFIGS, folder)));
    assert.equal(Object.keys(checked).length, files.length + ['acl', 'invariants', 'triggers'].length);
    for (const name of readdirSync(join(CONFIGS, 'playbooks'))) {
      const text = read(`playbooks/${name}`);
      assert.deepEqual(parseChecked(checked, 'playbook', text, name, []), parsePlaybook(text, name));
    }
  });

  test('is taken by its content: a file that somebody changed is read anew, and refused where it is wrong', () => {
    const text = read('triggers.yaml');
    const found = Object.fromEntries(Object.keys(checked).map((key) => [key, 'as the build found it']));
    assert.equal(parseChecked(found, 'triggers', text, 'triggers.yaml', []) as unknown, 'as the build found it');
    assert.ok(Array.isArray(parseChecked(found, 'triggers', `${text}\n# mine\n`, 'triggers.yaml', [])));
    assert.throws(() => parseChecked(checked, 'triggers', `${text}\nrulez: []\n`, 'triggers.yaml', []), {
      code: 'CONFIG_INVALID',
      message: /^triggers\.yaml:.*rulez/s,
    });
    assert.throws(() => parseChecked(checked, 'acl', text, 'acl.yaml', []), { code: 'CONFIG_INVALID' });
  });
});
