import { showMs } from '../output/figures.ts';
import { mineOf, type Scene } from './scene.ts';
import type { Sentence } from './story.ts';

/** How it ended, or where it stands. */
export function endingOf(scene: Scene): Sentence[] {
  const { closed, cutOff, opened, around } = scene;
  if (closed) {
    const text = `closed after ${showMs(Math.max(0, scene.at(closed)))}: ${closed.data.outcome}`;
    return [{ atMs: scene.at(closed), text, events: [closed.seq] }];
  }
  if (cutOff) {
    const how = cutOff.name === 'system:boot' ? 'a new boot' : 'the stop of the system';
    return [
      {
        atMs: cutOff.name === 'system:boot' ? null : scene.at(cutOff),
        text: `cut off by ${how}; how it would have ended is not established`,
        events: [cutOff.seq],
      },
    ];
  }
  const last = around.at(-1) ?? opened;
  const state = mineOf(scene, 'kernel:state').at(-1);
  return [
    {
      atMs: scene.at(last),
      text: `still open at the end of the record${state ? `; ${state.kernel} is ${state.data.to}` : ''}`,
      events: [last.seq, ...(state ? [state.seq] : [])].sort((a, b) => a - b),
    },
  ];
}
