import { type FaultLease, GraceError } from '@grace/contracts';
import { ownerOf } from '@grace/control/owner';
import { poll } from '@grace/testkit';
import type { OutsideProcesses } from './outside-process.ts';
import type { Record } from './recorder.ts';
import type { Strike } from './schedule.ts';
import type { Supervision } from './supervision.ts';

/** Until a target that is down at the moment is up again, and until an effect is seen. */
const PATIENCE = { deadlineMs: 45_000, everyMs: 40 };

/** The answer to an order that ends its own target may be that the target is gone. */
const TARGET_GONE = new Set(['KERNEL_GONE', 'CELL_GONE', 'CONNECTION_CLOSED', 'DEADLINE']);

/** Does what the schedule says, and proves that it acted: a strike without effect is written down as missed. */
export class Striker {
  readonly #supervision: Supervision;
  readonly #outside: OutsideProcesses;
  readonly #record: Record;

  constructor(supervision: Supervision, outside: OutsideProcesses, record: Record) {
    this.#supervision = supervision;
    this.#outside = outside;
    this.#record = record;
  }

  async strike(strike: number, { kind, target }: Strike): Promise<void> {
    const record = this.#record;
    record({ e: 'strike', strike, kind, target });
    try {
      record({ e: 'bit', strike, evidence: await this.#do(kind, target) });
    } catch (error) {
      record({ e: 'missed', strike, why: (error as Error).message });
    }
  }

  /** Resolves with what was seen of its effect. */
  async #do(kind: Strike['kind'], target: string): Promise<string> {
    switch (kind) {
      case 'kernel_throw':
      case 'broker_throw':
        return await this.#throwIn(target);
      case 'kernel_restart':
        return await this.#byHand(target, 'restart');
      case 'kernel_isolate':
        return await this.#byHand(target, 'isolate');
      case 'cell_kill':
        return await this.#kill(`cell ${target}`, async () => await this.#cellPid(target));
      case 'broker_kill':
        return await this.#kill('the cell of the broker', async () => {
          const { cell } = await this.#supervision.kernel('message_bus');
          return await this.#cellPid(cell);
        });
      case 'supervisor_kill':
        return await this.#kill('the supervisor', async () => (await this.#supervision.status()).system.pid);
      case 'outside_kill':
        return `process ${await this.#outside.kill(target)} of ${target} was ended by SIGKILL`;
    }
  }

  async #throwIn(kernel: string): Promise<string> {
    const { incarnation } = await this.#running(kernel);
    await poll(
      `${kernel} takes the fault`,
      async () => {
        // Somebody else's strike may have been faster.
        const now = await this.#running(kernel);
        const permit = await this.#supervision.ask('drill.permit', {
          holder: 'history',
          faults: ['uncaught_throw'],
          durationMs: 60_000,
        });
        const lease: FaultLease = {
          id: `history-${kernel}-${now.incarnation}-${Math.round(performance.now())}`,
          kind: 'uncaught_throw',
          target: kernel,
          incarnation: now.incarnation,
          durationMs: 5000,
          ttlMs: 5000,
          correlation: `history-${kernel}-${now.incarnation}`,
          permit: permit.id,
          params: {},
        };
        try {
          await this.#supervision.ask('fault.apply', { lease });
        } catch (error) {
          if (!(error instanceof GraceError) || !TARGET_GONE.has(error.code)) throw error;
        }
        return true;
      },
      PATIENCE,
    );
    return await this.#followed(kernel, incarnation);
  }

  async #byHand(kernel: string, method: 'restart' | 'isolate'): Promise<string> {
    const { incarnation } = await this.#running(kernel);
    await poll(`${method} is taken`, () => this.#supervision.ask(method, { kernel, by: 'history' }), PATIENCE);
    return await this.#followed(kernel, incarnation);
  }

  async #followed(kernel: string, incarnation: number): Promise<string> {
    const after = await poll(
      `another incarnation of ${kernel}`,
      async () => {
        const now = await this.#supervision.kernel(kernel);
        return now.incarnation > incarnation && now;
      },
      PATIENCE,
    );
    return `${kernel}/${incarnation} was followed by ${kernel}/${after.incarnation} in ${after.cell}`;
  }

  async #kill(what: string, find: () => Promise<number | null>): Promise<string> {
    const pid = await poll(`${what} has a process`, find, PATIENCE);
    process.kill(pid, 'SIGKILL');
    await poll(`${what} has ended`, () => ownerOf(pid) === undefined, PATIENCE);
    return `process ${pid} of ${what} was ended by SIGKILL`;
  }

  async #cellPid(cell: string): Promise<number | null> {
    const { cells } = await this.#supervision.status();
    return cells.find(({ id, state }) => id === cell && state === 'online')?.pid ?? null;
  }

  async #running(id: string) {
    return await poll(
      `${id} is running`,
      async () => {
        const now = await this.#supervision.kernel(id);
        return now.state === 'running' && now;
      },
      PATIENCE,
    );
  }
}
