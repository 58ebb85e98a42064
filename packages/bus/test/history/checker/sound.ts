import type { Entry } from '../entries.ts';
import { CorrectBus } from './correct-bus.ts';

export type Step = 'publish' | 'deliver' | 'end' | 'wait' | 'kill ann' | 'kill bob' | 'kill broker';
export const STEPS: Step[] = ['publish', 'deliver', 'end', 'wait', 'kill ann', 'kill bob', 'kill broker'];
/** How often each is drawn. */
export const OFTEN = [30, 40, 30, 1, 1, 1, 1];

export function play(bus: CorrectBus, steps: readonly Step[]): Entry[] {
  for (const step of steps) {
    if (step === 'publish') bus.publish();
    else if (step === 'deliver') bus.deliver();
    else if (step === 'end') bus.end();
    else if (step === 'wait') bus.wait(4000);
    else if (step === 'kill broker') bus.killBroker();
    else bus.kill(step === 'kill ann' ? 'ann' : 'bob');
  }
  return bus.finish();
}

/** A history in which everything happened that must have happened, and nothing that must not. */
export function sound(seed = 1): Entry[] {
  const round: Step[] = ['publish', 'deliver', 'deliver', 'end', 'deliver', 'publish', 'end', 'end'];
  const steps: Step[] = [];
  for (let i = 0; i < 300; i++) {
    steps.push(...round);
    if (i % 60 === 30) steps.push('kill ann', 'deliver', 'wait');
    if (i % 60 === 50) steps.push('kill broker', 'deliver', 'wait');
  }
  return play(new CorrectBus(seed), steps);
}
