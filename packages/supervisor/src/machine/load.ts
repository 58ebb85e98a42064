import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** Reads how busy all cores were since the last reading, 0..1. Null where the machine does not tell. */
export function createLoadMeter(): () => number | null {
  let before = read();
  return () => {
    const now = read();
    if (!now || !before) return null;
    const total = now.total - before.total;
    const idle = now.idle - before.idle;
    before = now;
    return total <= 0 ? null : Math.max(0, Math.min(1, 1 - idle / total));
  };
}

function read(): { total: number; idle: number } | null {
  if (process.platform === 'linux') {
    try {
      const fields = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]!.trim().split(/\s+/).slice(1).map(Number);
      // user nice system idle iowait irq softirq steal; guest time is inside user.
      const total = fields.slice(0, 8).reduce((sum, value) => sum + value, 0);
      return { total, idle: fields[3]! + fields[4]! };
    } catch {
      return null;
    }
  }
  const all = cpus();
  if (all.length === 0) return null;
  const sum = (pick: (times: (typeof all)[number]['times']) => number): number =>
    all.reduce((total, cpu) => total + pick(cpu.times), 0);
  return { total: sum((t) => t.user + t.nice + t.sys + t.idle + t.irq), idle: sum((t) => t.idle) };
}
