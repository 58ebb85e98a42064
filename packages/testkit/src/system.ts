import { type BusConnection, createBusClient } from '@grace/bus/client';
import { type AnyRecord, type EventName, GraceError, type KernelStatus, type StatusDocument } from '@grace/contracts';
import { type ControlClient, connectControl } from '@grace/control';
import { poll } from './poll.ts';
import { type Ended, openSite, type Site, type SiteOptions } from './site.ts';

export interface SystemOptions extends SiteOptions {
  /** Of `grace boot --detach`, beside `--armed`. */
  args?: string[];
  armed?: boolean;
  /** The site to boot in; default: one of its own, which ends with the system. */
  site?: Site;
}

/** A system of real processes, booted by the built command line, as its users see it. */
export interface System {
  readonly site: Site;
  readonly home: string;
  /** How `grace boot --detach` ended. */
  readonly booted: Ended;
  /** The supervisor's process id. */
  readonly pid: number;
  readonly client: ControlClient;
  grace: Site['grace'];
  /** All processes of the system that run. */
  pids(): number[];
  status(): Promise<StatusDocument>;
  kernel(id: string): Promise<KernelStatus>;
  /** Process id of a cell that is up. */
  cellPid(cell: string): Promise<number>;
  /** Records of these names, or all, oldest first. */
  journal<N extends EventName>(...names: N[]): Promise<Extract<AnyRecord, { name: N }>[]>;
  call<T = Record<string, unknown>>(kernel: string, verb: string, input?: unknown, deadlineMs?: number): Promise<T>;
  /** Resolves when the kernel runs in an incarnation later than `after`. */
  back(id: string, after: number, deadlineMs?: number): Promise<KernelStatus>;
  /** Dials the bus from this process as an outside principal; ends with the system. */
  bus(principal: string): Promise<BusConnection>;
  /**
   * Stops the system as its users do.
   * @throws AssertionError when something is left behind; it is ended all the same
   */
  stop(): Promise<void>;
}

/**
 * Boots a system with `grace boot --detach`; kernels that fail are no error, see `booted`.
 * The caller must `stop()` it in `finally` or `after`.
 */
export async function bootSystem(options: SystemOptions = {}): Promise<System> {
  const site = options.site ?? openSite(options);
  const buses: BusConnection[] = [];
  let client: ControlClient;
  let booted: Ended;
  try {
    booted = await site.grace('boot', '--detach', ...(options.armed ? ['--armed'] : []), ...(options.args ?? []));
    client = await connectControl(site.home, { role: 'client', name: 'test' }).catch((error: Error) => {
      throw new Error(`nothing runs after boot (exit ${booted.code}): ${booted.stderr || error.message}`);
    });
  } catch (error) {
    await site.close({ mayLeave: true });
    throw error;
  }

  const status = (): Promise<StatusDocument> => client.request('status', {});
  const kernel = async (id: string): Promise<KernelStatus> => {
    const found = (await status()).kernels.find((one) => one.id === id);
    if (!found) throw new Error(`there is no kernel ${id}`);
    return found;
  };
  return {
    site,
    home: site.home,
    booted,
    pid: client.supervisor.pid,
    client,
    grace: site.grace,
    pids: site.pids,
    status,
    kernel,
    async cellPid(cell) {
      const { cells } = await status();
      const found = cells.find(({ id }) => id === cell)?.pid;
      if (!found) throw new Error(`the cell ${cell} has no process`);
      return found;
    },
    async journal(...names) {
      const records: AnyRecord[] = [];
      for (;;) {
        const after = records.at(-1)?.seq ?? 0;
        const page = await client.request('journal.read', { after, limit: 5000 }, 20_000);
        records.push(...page.records);
        if (page.records.length === 0) break;
      }
      return records.filter(({ name }) => names.length === 0 || (names as string[]).includes(name)) as never;
    },
    call: async <T>(id: string, verb: string, input: unknown = {}, deadlineMs = 10_000) =>
      (await client.request('call', { kernel: id, verb, input, from: 'test' }, deadlineMs)) as T,
    back: (id, after, deadlineMs = 30_000) =>
      poll(
        `${id} runs in an incarnation after ${after}`,
        async () => {
          const one = await kernel(id);
          if (one.state === 'running' && one.incarnation > after) return one;
          throw new Error(
            `${id} is ${one.state} in incarnation ${one.incarnation}: ${one.error?.message ?? 'no error'}`,
          );
        },
        { deadlineMs },
      ),
    async bus(principal) {
      const { socket, token } = await client.request('bus.token', { principal });
      const bus = createBusClient();
      buses.push(bus);
      bus.dial(socket, token);
      await poll(`${principal} is connected to the bus`, () => bus.connected);
      return bus;
    },
    async stop() {
      await Promise.all(buses.map((bus) => bus.close()));
      client.close();
      await site.stop();
      if (!options.site) await site.close();
    },
  };
}

/** What a service did while something happened to others: called without pause, each answer counted. */
export interface Calls {
  readonly answered: number;
  /** Ends the calling; the messages of what failed. */
  end(): Promise<string[]>;
}

/**
 * Calls a verb again and again until it is ended.
 * @param pauseMs between an answer and the next call; a test that calls many kernels at once leaves them the machine
 */
export function callThroughout(system: System, kernel: string, verb: string, input: unknown = {}, pauseMs = 5): Calls {
  const failures: string[] = [];
  let answered = 0;
  let ending = false;
  const run = async (): Promise<void> => {
    // A test that fails before it ends this must not go on for ever.
    while (!ending && !system.client.closed) {
      try {
        await system.call(kernel, verb, input);
        answered++;
      } catch (error) {
        failures.push(
          `${kernel} ${verb}: ${error instanceof GraceError ? `${error.code}: ` : ''}${(error as Error).message}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  };
  const running = run();
  return {
    get answered() {
      return answered;
    },
    async end() {
      ending = true;
      await running;
      return failures;
    },
  };
}
