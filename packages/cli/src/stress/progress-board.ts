import type { Progress, TrialPhase } from '@grace/chaos';
import type { Verdict } from '@grace/contracts';
import { type Output, printable, type Tone } from '../output/output.ts';
import { table } from '../output/table.ts';

/** What a run has come to, as a fold over its progress. */
export interface ProgressBoard {
  waves: Map<number, { severity: string; state: 'planned' | 'running' | 'done' | 'skipped'; trials: string[] }>;
  trials: Map<string, TrialView>;
}

interface TrialView {
  trial: string;
  name: string;
  target: string;
  phase: TrialPhase | 'planned';
  verdict: Verdict | undefined;
}

export function emptyBoard(): ProgressBoard {
  return { waves: new Map(), trials: new Map() };
}

/** Takes progress in; answers with a line for plain output, when it is worth one. */
export function applyProgress(board: ProgressBoard, progress: Progress, out: Output): string | undefined {
  switch (progress.t) {
    case 'run':
      for (const { n, severity, groups } of progress.waves) {
        const trials = groups.flat();
        board.waves.set(n, { severity, state: 'planned', trials: trials.map(({ trial }) => trial) });
        for (const { trial, scenario, variant } of trials) {
          board.trials.set(trial, {
            trial,
            name: `${scenario}/${variant}`,
            target: '',
            phase: 'planned',
            verdict: undefined,
          });
        }
      }
      return `run ${progress.run}, seed ${progress.seed}: ${board.waves.size} waves, ${board.trials.size} trials`;
    case 'wave':
      setWave(board, progress.wave, 'running');
      return `wave ${progress.wave} (${progress.severity})`;
    case 'wave-skip':
      setWave(board, progress.wave, 'skipped');
      return out.paint('warn', `wave ${progress.wave} is not run: ${printable(progress.reason)}`);
    case 'steady': {
      if (progress.when === 'after') setWave(board, progress.wave, 'done');
      if (progress.ok) return undefined;
      const failed = progress.checks.filter(({ ok }) => !ok).map(({ check, observed }) => `${check}: ${observed}`);
      return out.paint('warn', `  not steady ${progress.when} wave ${progress.wave}: ${printable(failed.join('; '))}`);
    }
    case 'trial': {
      const trial = board.trials.get(progress.trial);
      if (trial) Object.assign(trial, { phase: progress.phase, target: progress.target });
      return progress.phase === 'injecting'
        ? `  ${progress.scenario}/${progress.variant} on ${progress.target}`
        : undefined;
    }
    case 'effect':
      return progress.proven
        ? undefined
        : out.paint('warn', `  ${nameOf(board, progress.trial)}: its effect was not seen`);
    case 'verdict': {
      const trial = board.trials.get(progress.trial);
      if (trial) trial.verdict = progress.verdict;
      const why = progress.verdict === 'held' ? '' : `: ${printable(progress.reasons.join(' '))}`;
      return `  ${out.paint(toneOf(progress.verdict), progress.verdict)} ${nameOf(board, progress.trial)}${why}`;
    }
    case 'message':
      return progress.level === 'warn' ? out.paint('warn', printable(progress.text)) : undefined;
    case 'end':
      return undefined;
    case 'error':
      return out.paint('bad', printable(`${progress.error.code}: ${progress.error.message}`));
  }
}

/** The whole run, to be drawn again and again on a terminal. */
export function progressLines(board: ProgressBoard, out: Output): string[] {
  return [...board.waves].flatMap(([n, { severity, state, trials }]) => {
    const head = `${out.paint('bold', `wave ${n}`)} ${severity}, ${state}`;
    const rows = trials.flatMap((id) => board.trials.get(id) ?? []);
    if (state === 'planned' || rows.length === 0) return [`${head}, ${rows.length} trials`];
    const lines = table<TrialView>(
      [
        { head: '', cell: (trial) => out.text(signOf(trial, out)) },
        { head: '', cell: ({ name }) => name },
        { head: '', cell: ({ target }) => target },
        { head: '', cell: (trial) => stateOf(trial, out) },
      ],
      rows,
    );
    return [head, ...lines.slice(1).map((line) => `  ${line}`)];
  });
}

export function toneOf(verdict: Verdict): Tone {
  return verdict === 'held' ? 'good' : verdict === 'broken' ? 'bad' : 'warn';
}

function signOf({ verdict, phase }: TrialView, out: Output): string {
  if (verdict) return out.paint(toneOf(verdict), verdict === 'held' ? '✔' : '✖');
  return phase === 'planned' ? ' ' : '•';
}

function stateOf({ verdict, phase }: TrialView, out: Output): string {
  return verdict ? out.paint(toneOf(verdict), verdict) : out.paint('dim', phase);
}

function nameOf(board: ProgressBoard, trial: string): string {
  return board.trials.get(trial)?.name ?? trial;
}

function setWave(board: ProgressBoard, n: number, state: 'running' | 'done' | 'skipped'): void {
  const wave = board.waves.get(n);
  if (wave) wave.state = state;
}
