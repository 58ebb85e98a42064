/**
 * The entry of a witness: a process that remembers the newest checkpoint of a log and cosigns only what continues it. It listens on
 * `witness.sock` in its own folder, and ends with its owner: when its standard input closes. Each line of the input is the key of a log to
 * know. Its answers on standard output, one JSON document in a line: `{ vkey, pid }` when it listens, `{ log }` or `{ error }` for each key.
 */
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { toWireError } from '@grace/contracts';
import { WitnessRecord } from './record.ts';
import { createWitnessServer } from './server.ts';
import { WITNESS_SOCKET } from './socket.ts';

const { values } = parseArgs({ options: { dir: { type: 'string' }, name: { type: 'string' } } });
process.title = 'grace-witness';
const say = (words: Record<string, unknown>) => process.stdout.write(`${JSON.stringify(words)}\n`);
// Its owner may be gone before it has read everything.
process.stdout.on('error', () => undefined);
// An interrupt in the terminal is the owner's affair: who ends, closes the input.
process.on('SIGINT', () => undefined);

const lines = createInterface({ input: process.stdin });
lines.on('close', () => process.exit(0));

try {
  const record = await WitnessRecord.open(values.dir!, values.name!);
  // A relative name, because the path of a socket may have at most about 100 bytes and that of a folder more.
  process.chdir(values.dir!);
  rmSync(WITNESS_SOCKET, { force: true });
  const server = createWitnessServer(record);
  server.on('error', fail);
  server.listen(WITNESS_SOCKET, () => say({ vkey: record.signer.verifier.vkey, pid: process.pid }));
  lines.on('line', (vkey) => {
    record.know(vkey).then(
      () => say({ log: vkey }),
      (error: unknown) => say({ error: toWireError(error).message }),
    );
  });
} catch (error) {
  fail(error);
}

function fail(error: unknown): void {
  say({ error: toWireError(error).message });
  process.exitCode = 1;
  setImmediate(() => process.exit(1));
}
