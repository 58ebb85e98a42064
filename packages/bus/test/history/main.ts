/** `pnpm history`: a history of the bus under `kill -9`, by seed, and what it proves. Exit code 1 unless it held. */
import { parseArgs } from 'node:util';
import { check, type Verdict } from './checker/check.ts';
import { readHistory } from './read-history.ts';
import { runHistory } from './run.ts';
import { inWords, makeSchedule } from './schedule.ts';

const USAGE = `pnpm history [--minutes 1] [--seed N] [--schedule]
  boots a system, publishes and subscribes over every wire, kills by the schedule of the seed, and judges what everybody wrote down;
  the history of a run that did not hold is kept. --schedule prints what would be done
pnpm history --check FOLDER
  judges a history that was kept`;

const CALM_MS = 3000;
const VIOLATIONS_SHOWN = 20;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string' },
    schedule: { type: 'boolean', default: false },
    check: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) console.log(USAGE);
else if (values.check !== undefined) end(check(readHistory(values.check)), values.check);
else await run();

async function run(): Promise<void> {
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
  const minutes = Number(values.minutes);
  if (!Number.isInteger(seed) || !(minutes > 0 && minutes <= 24 * 60)) {
    console.error(`--seed expects a whole number, --minutes a number up to ${24 * 60}\n${USAGE}`);
    process.exit(64);
  }
  const durationMs = minutes * 60_000;
  const schedule = makeSchedule(seed, durationMs);
  console.log(`seed ${seed}, ${minutes} min, ${schedule.length} strikes`);
  if (values.schedule) {
    for (const strike of schedule) console.log(`  ${inWords(strike)}`);
    return;
  }
  const ending = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM']) process.once(name, () => ending.abort(new Error(`ended by ${name}`)));
  const say = (line: string): void => console.log(`  ${line}`);
  const outcome = await runHistory({ seed, durationMs, calmMs: CALM_MS, say, signal: ending.signal }).catch(
    (error: Error) => {
      console.log(`the run broke off: ${error.message}`);
      process.exit(ending.signal.aborted ? 130 : 1);
    },
  );
  end(outcome, outcome.kept);
  if (outcome.verdict !== 'held')
    console.log(`the same schedule again: pnpm history --minutes ${minutes} --seed ${seed}`);
}

function end({ verdict, violations, missing, counts }: Verdict, kept: string | null): void {
  for (const [what, number] of Object.entries(counts)) console.log(`  ${String(number).padStart(8)} ${what}`);
  for (const { rule, message } of violations.slice(0, VIOLATIONS_SHOWN)) console.log(`${rule}: ${message}`);
  if (violations.length > VIOLATIONS_SHOWN) console.log(`and ${violations.length - VIOLATIONS_SHOWN} more`);
  const rules = Object.entries(Object.groupBy(violations, ({ rule }) => rule));
  if (rules.length > 0) console.log(`violations: ${rules.map(([rule, list]) => `${list.length} ${rule}`).join(', ')}`);
  for (const what of missing) console.log(`not seen: ${what}`);
  console.log(verdict === 'held' ? 'held' : `${verdict}; the history: ${kept}`);
  process.exitCode = verdict === 'held' ? 0 : 1;
}
