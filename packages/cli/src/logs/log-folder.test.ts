import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { LogFolder } from './log-folder.ts';

let home: string;
const file = (name: string): string => join(home, 'logs', name);
const line = (time: number, msg: string): string => `${JSON.stringify({ level: 30, time, kernel: 'k', msg })}\n`;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'grace-logs-'));
  mkdirSync(join(home, 'logs'));
});
afterEach(() => rmSync(home, { recursive: true }));

describe('the logs of a home', () => {
  const messages = async (folder: LogFolder): Promise<string[]> => (await folder.read()).map(({ msg }) => msg);

  test('of all cells are told in the order of their times, rotated files too', async () => {
    writeFileSync(file('core.log.1'), line(1, 'a'));
    writeFileSync(file('core.log'), line(3, 'c'));
    writeFileSync(file('work.log'), line(2, 'b') + line(4, 'd'));
    writeFileSync(file('core.out'), 'FATAL ERROR\n');
    assert.deepEqual(await messages(new LogFolder(home)), ['a', 'b', 'c', 'd']);
  });

  test('are told once, and a half-written line only when it is whole', async () => {
    const folder = new LogFolder(home);
    const [whole, half] = [line(1, 'a'), line(2, 'b')];
    writeFileSync(file('core.log'), whole + half.slice(0, 10));
    assert.deepEqual(await messages(folder), ['a']);
    assert.deepEqual(await messages(folder), []);
    appendFileSync(file('core.log'), half.slice(10));
    assert.deepEqual(await messages(folder), ['b']);
  });

  test('lose nothing when a file is rotated between two looks', async () => {
    const folder = new LogFolder(home);
    writeFileSync(file('core.log'), line(1, 'a'));
    assert.deepEqual(await messages(folder), ['a']);
    appendFileSync(file('core.log'), line(2, 'b'));
    renameSync(file('core.log'), file('core.log.1'));
    writeFileSync(file('core.log'), line(3, 'c'));
    assert.deepEqual(await messages(folder), ['b', 'c']);
  });

  test('pass over what is no record', async () => {
    writeFileSync(
      file('supervisor.log'),
      `words of a dying process\n{"half":\n{"grace":"supervisor"}\n${line(1, 'a')}`,
    );
    assert.deepEqual(await messages(new LogFolder(home)), ['a']);
  });

  test('of a home without logs are empty', async () => {
    rmSync(join(home, 'logs'), { recursive: true });
    assert.deepEqual(await messages(new LogFolder(home)), []);
  });
});
