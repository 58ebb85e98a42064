import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSlot, type FromThread, SLOT } from '@grace/contracts';
import { poll } from '../../test/bed.ts';
import { createLogLane } from './log-lane.ts';

type LogRecord = Extract<FromThread, { t: 'log' }>;

function openLane(minimum: Parameters<typeof createLogLane>[1] = 'info') {
  const slot = createSlot();
  const records: LogRecord[] = [];
  // As a port would: what cannot be cloned throws here.
  const log = createLogLane(slot, minimum, (record) => void records.push(structuredClone(record)));
  return { slot, records, log };
}

test('every record is counted in the slot, errors twice, and only those of the wanted level are sent', () => {
  const { slot, records, log } = openLane('warn');
  for (const level of ['trace', 'debug', 'info', 'warn', 'error'] as const) log[level](`at ${level}`, { n: 1 });
  assert.deepEqual([slot[SLOT.logs], slot[SLOT.errors]], [5n, 1n]);
  assert.deepEqual(
    records.map(({ t, level, message, fields }) => ({ t, level, message, fields })),
    [
      { t: 'log', level: 40, message: 'at warn', fields: { n: 1 } },
      { t: 'log', level: 50, message: 'at error', fields: { n: 1 } },
    ],
  );
  assert.ok(Math.abs(records[0]!.wallMs - Date.now()) < 60_000);
});

test('a flood is cut at 2000 records and 1000 a second, and what was dropped is told even when silence follows', async () => {
  const { slot, records, log } = openLane();
  const written = 20_000;
  const startMs = performance.now();
  for (let i = 0; i < written; i++) log.info('flood');
  const sent = records.filter(({ message }) => message === 'flood').length;
  const spentMs = performance.now() - startMs;
  assert.ok(sent >= 2000 && sent <= 2001 + spentMs, `${sent} sent in ${spentMs} ms`);
  assert.equal(slot[SLOT.logs], BigInt(written));

  const dropped = (): number =>
    records.reduce((sum, { message }) => sum + Number(/^(\d+) log records dropped/.exec(message)?.[1] ?? 0), 0);
  await poll('all that was dropped is told', () => sent + dropped() === written);
  assert.equal(records.at(-1)!.level, 40);

  log.info('after the flood');
  assert.equal(records.at(-1)!.message, 'after the flood');
});

test('the record of a loss comes once', async () => {
  const { records, log } = openLane();
  for (let i = 0; i < 5000; i++) log.info('flood');
  const notices = (): LogRecord[] => records.filter(({ message }) => /dropped/.test(message));
  await poll('the loss is told', () => notices().length > 0);
  log.info('next');
  assert.equal(
    notices().reduce((sum, { message }) => sum + Number.parseInt(message, 10), 0),
    5000 - records.filter(({ message }) => message === 'flood').length,
  );
});

test('no field can make a record throw or be lost', () => {
  const { records, log } = openLane();
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  const throwing = {
    toJSON() {
      throw new Error('not me');
    },
  };
  const cases: [unknown, unknown][] = [
    [
      { n: 1n, f: () => 1, error: new Error('boom'), u: undefined },
      { n: '1', error: 'boom' },
    ],
    [circle, { fields: 'could not be written as JSON' }],
    [throwing, { fields: 'could not be written as JSON' }],
    [() => 1, { fields: 'could not be written as JSON' }],
    [new Error('given as the fields'), { value: 'given as the fields' }],
    ['text', { value: 'text' }],
    [null, { value: null }],
  ];
  for (const [fields] of cases) log.info('carries', fields as Record<string, unknown>);
  assert.deepEqual(
    records.map(({ fields }) => fields),
    cases.map(([, kept]) => kept),
  );
});

test('no message can make a record throw', () => {
  const { records, log } = openLane();
  for (const message of [5, undefined, null, Symbol('s'), Object.create(null), new Error('boom')])
    log.info(message as string);
  assert.deepEqual(
    records.map(({ message }) => message),
    ['5', 'undefined', '{"value":null}', 'Symbol(s)', '{}', '{"value":"boom"}'],
  );
});

test('message and fields of any size leave the thread bounded', () => {
  const { records, log } = openLane();
  log.info('m'.repeat(1e6), { text: 'f'.repeat(1e6) });
  assert.equal(records[0]!.message.length, 8000);
  assert.deepEqual(records[0]!.fields, { fields: 'left out: 1000011 characters, kept are 32000' });
});
