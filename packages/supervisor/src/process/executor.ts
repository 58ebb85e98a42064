import { randomBytes } from 'node:crypto';
import { type AclDocument, type CellMethods, GraceError, type SystemPlan, toWireError } from '@grace/contracts';
import { type Channel, signBusToken } from '@grace/control';
import type { Command, CoreEvent } from '../core/events.ts';
import type { CoreState } from '../core/state.ts';
import type { Journal } from '../journal/journal.ts';
import { continueProcess, inspectProcess } from './cell-inspection.ts';
import type { CellProcesses } from './cell-processes.ts';

export interface ExecutorParts {
  plan: SystemPlan;
  journal: Journal;
  cells: CellProcesses;
  busKey: Uint8Array;
  /** The connection of a cell's present incarnation. */
  channel(cell: string): Channel | undefined;
  state(): CoreState;
  /** The access rules in force. */
  acl(): AclDocument;
  emit(event: CoreEvent): void;
  broadcast(name: string, data: unknown): void;
  /** Keeps what there is to see. Nobody waits for it. */
  keepEvidence(order: Extract<Command, { do: 'evidence' }>): void;
  finish(): void;
}

/** Slack beyond a deadline the cell keeps itself, ms: the answer has to travel. */
const TRAVEL_MS = 1000;

/** Setting a limit or telling of one takes a message and a few writes, ms. */
const LIMIT_DEADLINE_MS = 2000;

/** Loading a module may be slow on a cold disk; past this it counts as failed, ms. */
const LOAD_DEADLINE_MS = 15_000;

/** Does what the core orders. Every order has an outcome that goes back as an event. */
export function createExecutor(parts: ExecutorParts): (command: Command) => void {
  const { plan, emit } = parts;

  /** A lost connection is no outcome: the end of the cell is, and it comes by itself. */
  const ask = async <M extends keyof CellMethods>(
    cell: string,
    method: M,
    params: CellMethods[M]['params'],
    deadlineMs: number,
    outcome: (result: { value: CellMethods[M]['result'] } | { error: GraceError }) => void,
  ): Promise<void> => {
    const channel = parts.channel(cell);
    if (!channel) return;
    try {
      outcome({ value: await channel.request<CellMethods[M]['result']>(method, params, deadlineMs) });
    } catch (error) {
      const known = error instanceof GraceError ? error : new GraceError('INTERNAL', String(error));
      if (known.code !== 'CONNECTION_CLOSED') outcome({ error: known });
    }
  };

  return (command) => {
    switch (command.do) {
      case 'journal':
        parts.journal.append(command.draft);
        return;
      case 'spawn-cell':
        parts.cells.spawn(command.cell, command.incarnation);
        return;
      case 'kill-cell':
        parts.cells.kill(command.cell);
        return;
      case 'end-cell':
        void ask(command.cell, 'exit', {}, 2000, (result) => {
          if ('error' in result) parts.cells.kill(command.cell);
        });
        return;
      case 'load': {
        const { manifest } = parts.state().kernels[command.kernel]!;
        const { kernel, incarnation } = command;
        if (kernel === 'message_bus') parts.broadcast('broker.cell', { cell: command.cell });
        const identity = {
          principal: kernel,
          incarnation,
          messagesPerSecond: manifest.limits.messagesPerSecond,
          kernel: true,
        };
        const order = {
          manifest,
          incarnation,
          busToken: signBusToken(identity, parts.busKey),
          armed: plan.armed,
          brokerCell: parts.state().kernels['message_bus']?.cell ?? '',
          ...(kernel === 'message_bus' && { acl: parts.acl() }),
        };
        void ask(command.cell, 'kernel.spawn', order, LOAD_DEADLINE_MS, (result) => {
          if ('value' in result) {
            const { tid, limit } = result.value;
            emit({ t: 'loaded', kernel, incarnation, tid });
            // The cell keeps what the manifest says by itself; here it is written down what really holds it.
            if (limit) emit({ t: 'limited', kernel, incarnation, ...limit });
          } else emit({ t: 'start-failed', kernel, incarnation, error: toWireError(result.error) });
        });
        return;
      }
      case 'start': {
        const { kernel, incarnation } = command;
        void ask(command.cell, 'kernel.start', { kernel, incarnation }, command.deadlineMs + TRAVEL_MS, (result) => {
          if ('value' in result) emit({ t: 'started', kernel, incarnation, verbs: result.value.verbs });
          // A start that takes too long is the core's own deadline.
          else if (result.error.code !== 'DEADLINE')
            emit({ t: 'start-failed', kernel, incarnation, error: toWireError(result.error) });
        });
        return;
      }
      case 'probe': {
        const { kernel, incarnation, deadlineMs } = command;
        const asked = performance.now();
        const probed = (ok: boolean, detail: Record<string, unknown>, error: GraceError | null): void =>
          emit({
            t: 'probed',
            kernel,
            incarnation,
            ok,
            ms: performance.now() - asked,
            detail,
            error: error ? toWireError(error) : null,
          });
        void ask(
          command.cell,
          'kernel.probe',
          { kernel, incarnation, deadlineMs },
          deadlineMs + TRAVEL_MS,
          (result) => {
            if ('value' in result) probed(true, result.value, null);
            else probed(false, {}, result.error);
          },
        );
        return;
      }
      case 'drain': {
        const { kernel, incarnation, deadlineMs } = command;
        void ask(command.cell, 'kernel.drain', { kernel, incarnation, deadlineMs }, deadlineMs + TRAVEL_MS, () =>
          emit({ t: 'drained', kernel, incarnation }),
        );
        return;
      }
      case 'terminate': {
        const { kernel, incarnation, deadlineMs } = command;
        void ask(
          command.cell,
          'kernel.terminate',
          { kernel, incarnation, deadlineMs },
          deadlineMs + TRAVEL_MS,
          (result) => {
            if ('value' in result) emit({ t: 'exited', kernel, incarnation, code: result.value.code, error: null });
            else emit({ t: 'stuck', kernel, incarnation });
          },
        );
        return;
      }
      case 'limit': {
        const { kernel, incarnation, cpu } = command;
        void ask(command.cell, 'kernel.limit', { kernel, incarnation, cpu }, LIMIT_DEADLINE_MS, (result) => {
          // A limit that could not be set is none, and that is what is written down.
          const { method, cpu: held } = 'value' in result ? result.value : { method: 'none' as const, cpu };
          emit({ t: 'limited', kernel, incarnation, cpu: held, method });
        });
        return;
      }
      case 'press': {
        const { kernel, incarnation, pressure } = command;
        void ask(command.cell, 'kernel.pressure', { kernel, incarnation, pressure }, LIMIT_DEADLINE_MS, () => {});
        return;
      }
      case 'tell':
        parts.channel(command.cell)?.notice('need', { kernel: command.kernel, need: command.need, up: command.up });
        return;
      case 'evidence':
        parts.keepEvidence(command);
        return;
      case 'inspect-cell': {
        const { cell, incarnation } = command;
        const pid = parts.state().cells[cell]?.pid;
        if (pid) emit({ t: 'cell-inspected', cell, incarnation, ...inspectProcess(pid) });
        return;
      }
      case 'continue-cell': {
        const pid = parts.state().cells[command.cell]?.pid;
        if (pid) continueProcess(pid);
        return;
      }
      case 'finish':
        parts.finish();
        return;
      default:
        command satisfies never;
    }
  };
}

/** 32 random bytes: who knows them may speak on the bus as anybody, so the file is for the owner alone. */
export function createBusKey(): Uint8Array {
  return randomBytes(32);
}
