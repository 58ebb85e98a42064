import type { AnyRecord } from '@grace/contracts';
import { showMs, showTime } from './figures.ts';
import { type Output, printable } from './output.ts';

/** A line for the records that a person who watches a running system wants to see; undefined for all others. */
export function incidentLine(record: AnyRecord, out: Output): string | undefined {
  const said = sentence(record);
  return said === undefined ? undefined : `${out.paint('dim', showTime(record.wallMs))} ${printable(said)}`;
}

function sentence(record: AnyRecord): string | undefined {
  const who = record.kernel ?? record.cell ?? 'system';
  switch (record.name) {
    case 'kernel:ready':
      return `${who} is ready again (${showMs(record.data.readyMs)})`;
    case 'kernel:exit':
      return record.data.expected
        ? undefined
        : `${who} ended${record.data.error ? `: ${record.data.error.code}: ${record.data.error.message}` : ''}`;
    case 'kernel:restart':
      return `${who} is restarted (${record.data.cause}, attempt ${record.data.attempt})`;
    case 'kernel:quarantine':
      return `${who} is quarantined after ${record.data.restarts} restarts`;
    case 'cell:exit':
      return record.data.expected
        ? undefined
        : `cell ${who} ended (${record.data.signal ?? `exit code ${record.data.code}`}) with ${record.data.kernels.join(', ')}`;
    case 'incident:open':
      return `incident ${record.data.incident.id} (${record.data.incident.severity}): ${record.data.incident.title}`;
    case 'incident:close':
      return `incident ${record.data.id} is closed: ${record.data.outcome}`;
    case 'system:stop':
      return `stopping: ${record.data.reason}`;
    default:
      return undefined;
  }
}
