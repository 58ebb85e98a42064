/**
 * The entry of the storage thread: it alone touches the file, so the thread that routes never waits for a disk. Its twin is ../storage.ts.
 * Writes that queued up while the last commit ran are committed together.
 */

import type { DatabaseSync } from 'node:sqlite';
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { GraceError, toWireError } from '@grace/contracts';
import { claim, forget, sweep } from './changes.ts';
import { createGauge, openFile, storageError } from './file.ts';
import type { Page, StorageOrder, StorageReply, Write } from './orders.ts';
import { letters, load, page } from './reads.ts';
import { createWriter } from './writes.ts';

/** Orders of one commit: the broker has two at most under way with messages, the rest are acknowledgements. */
const MERGED = 8;

const { dir, maxFileBytes } = workerData as { dir: string; maxFileBytes: number };
const port = parentPort as MessagePort;
const say = (reply: StorageReply): void => port.postMessage(reply);
const plain = (error: unknown) => ({ ...toWireError(storageError(error, dir)), stack: '' });

try {
  serve(openFile(dir, maxFileBytes));
} catch (error) {
  say({ t: 'failed', error: plain(error) });
  port.close();
}

function serve(db: DatabaseSync): void {
  const write = createWriter(db);
  const gauge = createGauge(db);

  const commit = (orders: StorageOrder[], commitMs = 0): void => {
    const startedMs = performance.now();
    let values: unknown[];
    db.exec('BEGIN IMMEDIATE');
    try {
      values = orders.map(change);
      db.exec('COMMIT');
    } catch (error) {
      // A full disk has rolled back already.
      if (db.isTransaction) db.exec('ROLLBACK');
      if (orders.length === 1) say({ t: 'refused', order: orders[0]!.order, error: plain(error) });
      else for (const order of orders) commit([order]);
      return;
    }
    const bytes = gauge.fileBytes();
    const tookMs = commitMs + performance.now() - startedMs;
    for (const [i, { order }] of orders.entries())
      say({ t: 'done', order, value: values[i], fileBytes: bytes, commitMs: tookMs });
  };

  /** @throws GraceError `STORAGE_FULL` when messages would fill the file beyond its bound */
  const checkRoom = (writes: Write[]): void => {
    let bytes = gauge.usedBytes();
    for (const one of writes) if (one[0] === 'block') bytes += one[8].byteLength;
    if (bytes > maxFileBytes) {
      throw new GraceError('STORAGE_FULL', `durable messages may fill ${maxFileBytes} bytes in ${dir}`);
    }
  };

  const turnPage = ({ line, from, blocks, isSent }: Extract<StorageOrder, { t: 'page' }>): Page => {
    const found = page(db, line, from, blocks);
    const last = found.rows.at(-1);
    if (isSent && last) write(['sent', line, last.first + last.count - 1]);
    return found;
  };

  const change = (order: StorageOrder): unknown => {
    switch (order.t) {
      case 'write':
        if (order.writes.some(([t]) => t === 'block')) checkRoom(order.writes);
        for (const one of order.writes) write(one);
        return null;
      case 'claim':
        return claim(db, order);
      case 'forget':
        return forget(db, order);
      case 'sweep':
        return sweep(db, order);
      case 'purge':
        for (const id of order.ids) write(['unletter', id]);
        return order.ids.length;
      case 'page':
        return turnPage(order);
      case 'letters':
        return letters(db, order.query);
      case 'close':
        return null;
    }
  };

  port.on('message', (first: StorageOrder) => {
    const orders = [first];
    for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) orders.push(next.message);
    for (let i = 0; i < orders.length; ) {
      const merged = [orders[i]!];
      while (
        merged.length < MERGED &&
        orders[i + merged.length] &&
        isWrite(merged[0]!) &&
        isWrite(orders[i + merged.length]!)
      ) {
        merged.push(orders[i + merged.length]!);
      }
      i += merged.length;
      commit(merged);
    }
    if (orders.at(-1)!.t === 'close') {
      db.close();
      port.close();
    }
  });
  say({ t: 'opened', load: load(db) });
}

const isWrite = (order: StorageOrder): boolean => order.t === 'write';
