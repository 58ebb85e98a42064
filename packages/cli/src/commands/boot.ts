import { type ClientMethods, EXIT, GraceError, type SystemPlan } from '@grace/contracts';
import type { ControlClient } from '@grace/control';
import { Command } from 'commander';
import { applyRecord, type Board, type BoardKernel, boardOf } from '../boot/board.ts';
import { boardLines, plainLine } from '../boot/board-view.ts';
import { limitsMissing } from '../boot/limits-missing.ts';
import { loadPlan } from '../config/load.ts';
import { FAILURE, OK } from '../exit.ts';
import { incidentLine } from '../output/event-line.ts';
import { showMs } from '../output/figures.ts';
import { printable } from '../output/output.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { processesOf } from '../stress/leftovers.ts';
import { connect, withSystem } from '../system/connect.ts';
import { followThroughout } from '../system/follow.ts';
import { type Interrupts, watchInterrupts } from '../system/interrupts.ts';
import { endedEarly, type Launched, launch } from '../system/launch.ts';
import { guardianOf, killAll, untilGone } from '../system/processes.ts';
import { list } from './arguments.ts';
import { requestStop } from './stop.ts';

interface BootOptions extends GlobalOptions {
  detach?: boolean;
  only?: string[];
  armed?: boolean;
}

type Ready = ClientMethods['ready']['result'];

/** How long a drain may take before what is left is ended at once, ms. */
const DRAIN_MS = 10_000;

export function bootCommand(start: Start): Command {
  return new Command('boot')
    .description('boot the kernels and stay; Ctrl-C drains, a second one ends at once')
    .option('--detach', 'return when every kernel is ready or has failed, and leave the system running')
    .option('--only <ids>', 'only these kernels and what they need, comma-separated', list('a kernel id'))
    .option('--armed', 'allow faults to be injected under a drill permit')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<BootOptions>();
      await start(options, (session) => boot(session, options));
    });
}

async function boot(session: Session, options: BootOptions): Promise<number> {
  const plan = await loadPlan(session, { armed: options.armed === true, ...(options.only && { only: options.only }) });
  const interrupts = watchInterrupts();
  try {
    const system = await launch(plan);
    session.out.detail(`supervisor pid ${system.supervisor.pid}, home ${plan.home}`);
    const over = new AbortController();
    try {
      return await attend(session, options, plan, system, interrupts, over.signal);
    } finally {
      over.abort();
      system.client.close();
      system.leave();
    }
  } finally {
    interrupts.done();
  }
}

async function attend(
  session: Session,
  options: BootOptions,
  plan: SystemPlan,
  system: Launched,
  interrupts: Interrupts,
  over: AbortSignal,
): Promise<number> {
  const { out } = session;
  const status = await system.client.request('status', {});
  let board = boardOf(status);
  const draw = out.live ? (await import('log-update')).createLogUpdate(out.stream) : undefined;
  const told = new Set<string>();
  const show = (kernel: BoardKernel): void => {
    const line = plainLine(kernel, out);
    if (line === undefined || told.has(`${kernel.id} ${kernel.state}`)) return;
    told.add(`${kernel.id} ${kernel.state}`);
    out.step(line);
  };
  const redraw = (): void => {
    if (draw) draw(boardLines(board, out).join('\n'));
    else for (const kernel of board.kernels.values()) show(kernel);
  };
  redraw();
  /** Records up to here belong to the boot; later ones are news about a running system. */
  let bootedSeq = Number.POSITIVE_INFINITY;
  await followThroughout(
    session.home,
    system.client,
    status.system.journalSeq,
    (record) => {
      if (out.json && !options.detach) out.record(record);
      const changed = applyRecord(board, record);
      if (record.seq > bootedSeq) {
        const line = incidentLine(record, out);
        if (line !== undefined) out.step(line);
      } else if (changed && bootedSeq === Number.POSITIVE_INFINITY) redraw();
    },
    over,
  );

  let forced = false;
  interrupts.on((signal, count) => {
    if (count === 1) void drain(signal);
    else force();
  });
  function force(): void {
    forced = true;
    killAll([...guardianOf(session.home), system.guardian, ...processesOf(session.home)]);
  }
  async function drain(signal: NodeJS.Signals): Promise<void> {
    draw?.done();
    out.note(`draining (${signal}); once more ends everything at once`);
    // The supervisor may be another one by now.
    const asked = await requestStop(session.home, DRAIN_MS, `${signal} to grace boot`).catch(() => []);
    const left = await untilGone([system.guardian, ...asked], DRAIN_MS + 5000);
    if (left.length > 0) force();
  }

  const ready = await readiness(session.home, system, plan.settings.bootDeadlineMs, interrupts);
  if (ready) {
    // What the last records say may still be on its way.
    const booted = await withSystem(session, (client) => client.request('status', {}));
    bootedSeq = booted.system.journalSeq;
    board = boardOf(booted);
    redraw();
    draw?.done();
    report(session, ready, board);
    const missing = limitsMissing(booted.system.enforcement, plan);
    if (missing !== undefined) out.note(missing);
    if (options.detach) {
      if (out.json) out.document({ ...ready, pid: booted.system.pid, home: session.home });
      return ready.failed.length === 0 && ready.ready === ready.total ? OK : FAILURE;
    }
    out.note(`running in ${session.home}; Ctrl-C drains and ends`);
  }
  const end = await system.ended;
  if (forced || (!ready && interrupts.count > 0)) return EXIT.interrupted;
  if (end.code === 0) {
    out.note('stopped');
    return OK;
  }
  throw endedEarly(end, await system.lastWords());
}

/** Undefined when the user interrupted before the boot was over. */
async function readiness(
  home: string,
  system: Launched,
  bootDeadlineMs: number,
  interrupts: Interrupts,
): Promise<Ready | undefined> {
  const ask = async (client: ControlClient): Promise<Ready | undefined> => {
    try {
      return await client.request('ready', {}, bootDeadlineMs + 5000);
    } catch (error) {
      if (interrupts.count > 0) return undefined;
      if (!(error instanceof GraceError) || error.code !== 'CONNECTION_CLOSED') throw error;
    }
    const next = await connect(home).catch(() => undefined);
    if (!next) throw endedEarly(await system.ended, await system.lastWords());
    return await ask(next).finally(() => next.close());
  };
  return await Promise.race([ask(system.client), interrupts.first.then(() => undefined)]);
}

function report({ out, home }: Session, { ready, total, ms, failed }: Ready, board: Board): void {
  const all = ready === total && failed.length === 0;
  for (const { kernel, error } of failed) {
    out.line(`${out.paint('bad', 'not ready')} ${kernel}: ${printable(`${error.code}: ${error.message}`)}`);
  }
  const cells = board.cells.size;
  const summary = `${ready} of ${total} kernels ready in ${showMs(ms)}, ${cells} ${cells === 1 ? 'cell' : 'cells'}`;
  out.line(out.paint(all ? 'good' : 'bad', summary));
  if (!all) out.note(`the others go on; grace logs --home ${home} tells more, grace stop ends them`);
}
