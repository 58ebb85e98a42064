import type { AnyRecord } from '@grace/contracts';

interface Whose {
  id: string;
  subject: string;
  about: 'kernel' | 'cell' | 'other';
  correlation: string | undefined;
  cells: ReadonlySet<string>;
}

/** Whether a record speaks of an incident: it names it, its subject or the subject's cell, or a fault that carries its correlation. */
export function belonging({ id, subject, about, correlation, cells }: Whose): (record: AnyRecord) => boolean {
  const runs = new Set<string>();
  return (record) => {
    switch (record.name) {
      case 'incident:open':
        return record.data.incident.id === id;
      case 'incident:close':
      case 'incident:escalate':
        return record.data.id === id;
      case 'detector:fire':
      case 'playbook:end':
        return record.data.incident === id;
      case 'playbook:start':
        if (record.data.incident === id) runs.add(record.data.run);
        return record.data.incident === id;
      case 'playbook:step':
        return runs.has(record.data.run);
      case 'kernel:evidence':
        return record.data.incident === id || (record.data.incident === null && isOurs(record));
      case 'cell:online':
      case 'cell:exit':
        return record.cell !== undefined && cells.has(record.cell);
      case 'bus:denied':
      case 'bus:muted':
      case 'bus:unmuted':
        return record.data.principal === subject;
      case 'fault:inject':
        return (
          record.data.target === subject ||
          (about === 'kernel' && cells.has(record.data.target)) ||
          isCorrelated(record)
        );
      case 'fault:effect':
      case 'fault:undo':
        return isCorrelated(record);
      case 'system:adopt':
      case 'system:guard':
      case 'system:stop':
      case 'system:stopped':
        return true;
      case 'kernel:stuck':
      case 'kernel:move':
        return isOurs(record);
      case 'kernel:hand':
      case 'kernel:condition':
      case 'kernel:state':
      case 'kernel:ready':
      case 'kernel:exit':
      case 'kernel:probe':
      case 'kernel:restart':
      case 'kernel:quarantine':
      case 'kernel:limit':
      case 'kernel:pressure':
        return record.kernel === subject;
      default:
        return false;
    }
  };

  /** Of the subject; of a cell also what its kernels met, as far as it concerns the whole cell. */
  function isOurs({ kernel, cell }: AnyRecord): boolean {
    return kernel === subject || (about === 'cell' && cell === subject);
  }

  function isCorrelated(record: AnyRecord): boolean {
    return correlation !== undefined && record.correlation === correlation;
  }
}
