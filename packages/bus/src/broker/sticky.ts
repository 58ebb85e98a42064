import type { BrokerSubscription } from './subscription.ts';

/**
 * The member of a group that gets everything with this key while it lives: the one whose hash with the key is greatest (rendezvous hashing,
 * Thaler and Ravishankar 1998), so that a member that comes or goes moves only its own keys.
 */
export function chooseByKey(members: readonly BrokerSubscription[], key: string): BrokerSubscription | undefined {
  let chosen: BrokerSubscription | undefined;
  let greatest = -1;
  for (const member of members) {
    const weight = hash(`${key} ${member.identity}`);
    if (weight <= greatest) continue;
    greatest = weight;
    chosen = member;
  }
  return chosen;
}

/** FNV-1a with a last mixing step, 32 bits: neighbouring names must not get neighbouring numbers. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
