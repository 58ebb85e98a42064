import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AnyRecord, StatusDocument } from '@grace/contracts';
import { applyRecord, boardOf } from './board.ts';

const status = {
  cells: [
    { id: 'core', pid: 7 },
    { id: 'work', pid: null },
  ],
  kernels: [{ id: 'librarian', cell: 'work', state: 'waiting', readyMs: null, error: null }],
} as unknown as StatusDocument;

let seq = 0;
function record(part: Partial<AnyRecord>): AnyRecord {
  return { seq: ++seq, wallMs: 0, monoMs: 0, ...part } as AnyRecord;
}

describe('the board of a boot', () => {
  test('follows a kernel to running, with the time it took', () => {
    const board = boardOf(status);
    const move = (from: string, to: string) =>
      applyRecord(
        board,
        record({ name: 'kernel:state', kernel: 'librarian', data: { from, to, reason: '' } } as Partial<AnyRecord>),
      );
    assert.equal(move('waiting', 'starting')?.state, 'starting');
    assert.equal(move('starting', 'probing')?.state, 'probing');
    move('probing', 'running');
    applyRecord(board, record({ name: 'kernel:ready', kernel: 'librarian', data: { readyMs: 120, probe: {} } }));
    assert.deepEqual(board.kernels.get('librarian'), {
      id: 'librarian',
      cell: 'work',
      state: 'running',
      readyMs: 120,
      error: null,
    });
  });

  test('keeps why a kernel ended until it runs again', () => {
    const board = boardOf(status);
    const error = { code: 'KERNEL_START', message: 'no' } as const;
    applyRecord(board, record({ name: 'kernel:exit', kernel: 'librarian', data: { code: 1, error, expected: false } }));
    assert.equal(board.kernels.get('librarian')?.error?.code, 'KERNEL_START');
    applyRecord(
      board,
      record({ name: 'kernel:state', kernel: 'librarian', data: { from: 'probing', to: 'running', reason: '' } }),
    );
    assert.equal(board.kernels.get('librarian')?.error, null);
  });

  test('knows the processes of cells that live', () => {
    const board = boardOf(status);
    applyRecord(board, record({ name: 'cell:start', cell: 'work', data: { pid: 8 } }));
    assert.deepEqual(
      [...board.cells],
      [
        ['core', 7],
        ['work', 8],
      ],
    );
    applyRecord(
      board,
      record({ name: 'cell:exit', cell: 'core', data: { pid: 7, code: 0, signal: null, expected: true, kernels: [] } }),
    );
    assert.deepEqual([...board.cells], [['work', 8]]);
  });

  test('is untouched by records of kernels it does not know', () => {
    const board = boardOf(status);
    assert.equal(
      applyRecord(board, record({ name: 'kernel:ready', kernel: 'stranger', data: { readyMs: 1, probe: {} } })),
      undefined,
    );
    assert.equal(board.kernels.size, 1);
  });
});
