/**
 * Without namespaces a Node program may signal every process of its user: its permission model has no word for that. This runs before it,
 * in its process, and takes the functions away.
 */
const SOURCE = `
import os from 'node:os';
import { syncBuiltinESMExports } from 'node:module';
const refuse = () => {
  throw Object.assign(new Error('Access to this API has been restricted by the sandbox'), { code: 'ERR_ACCESS_DENIED' });
};
const take = (from, name) => Object.defineProperty(from, name, { value: refuse, writable: false, configurable: false });
for (const name of ['kill', '_kill', '_debugProcess']) take(process, name);
take(os, 'setPriority');
syncBuiltinESMExports();
`;

/** As a module that `--import` takes without a file. */
export const GUARD = `data:text/javascript,${encodeURIComponent(SOURCE)}`;
