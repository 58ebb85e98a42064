import { Command } from 'commander';
import type { Start } from '../session.ts';
import { logProveCommand } from './log-prove.ts';
import { logRepairCommand } from './log-repair.ts';
import { logTailCommand } from './log-tail.ts';
import { logVerifyCommand } from './log-verify.ts';

export function logCommand(start: Start): Command {
  const log = new Command('log').description(
    'the tamper-evident records: the journal, and that of the immutable_log kernel',
  );
  const commands = [logVerifyCommand, logRepairCommand, logProveCommand, logTailCommand];
  return commands.reduce((parent, make) => parent.addCommand(make(start)), log);
}
