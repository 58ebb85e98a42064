import { didYouMean } from '@grace/contracts';

/** One thing a component needs, as the handshake found it. */
export interface NeedFound {
  id: string;
  registered: boolean;
  acknowledged: boolean;
  /** What was seen, or what is missing. */
  words: string;
  /** Journal records it rests on. */
  records: number[];
}

export interface Agreement {
  accepted: boolean;
  /** One sentence. */
  reason: string;
  version: string;
  needs: NeedFound[];
  atMs: number;
}

/** How a need looks at the moment of the handshake. */
export type NeedSeen =
  | { kind: 'absent' }
  /** A kernel: its state, and what came of asking it for its status just now. */
  | { kind: 'kernel'; state: string; incarnation: number | null; readyRecord: number | null; answer: Answer }
  /** Another component: acknowledged when its own handshake was accepted. */
  | { kind: 'component'; standing: string; needs: readonly string[] };

export type Answer = { ok: true; ms: number } | { ok: false; error: string };

/**
 * Whether a component may count on what it needs: all of it is registered and has acknowledged. Pure.
 * @param names everything that is registered, for the nearest name
 */
export function judge(
  own: { id: string; version: string; needs: readonly string[] },
  given: string,
  seen: ReadonlyMap<string, NeedSeen>,
  names: readonly string[],
  nowMs: number,
): Agreement {
  const needs = own.needs.map((id) => needFound(own.id, id, seen.get(id) ?? { kind: 'absent' }, names));
  const open = needs.filter(({ registered, acknowledged }) => !registered || !acknowledged);
  const isOther = given !== own.version;
  const reason = isOther
    ? `it announced version ${own.version} and shakes hands as version ${given}; register it anew`
    : open.length > 0
      ? open.map(({ words }) => words).join('; ')
      : needs.length === 0
        ? 'it needs nobody'
        : `all it needs have acknowledged: ${needs.map(({ id }) => id).join(', ')}`;
  return { accepted: !isOther && open.length === 0, reason, version: given, needs, atMs: nowMs };
}

function needFound(own: string, id: string, seen: NeedSeen, names: readonly string[]): NeedFound {
  switch (seen.kind) {
    case 'absent':
      return {
        id,
        registered: false,
        acknowledged: false,
        words: `${id} is not registered${didYouMean(id, names)}`,
        records: [],
      };
    case 'kernel': {
      const { state, incarnation, readyRecord, answer } = seen;
      const acknowledged = state === 'running' && answer.ok;
      const words = acknowledged
        ? `${id} is ready (incarnation ${incarnation ?? '?'}) and answered in ${Math.round(answer.ms)} ms`
        : state !== 'running'
          ? `${id} is ${state}, not running`
          : `${id} has not acknowledged: ${answer.ok ? '' : answer.error}`;
      return { id, registered: true, acknowledged, words, records: readyRecord === null ? [] : [readyRecord] };
    }
    case 'component': {
      const acknowledged = seen.standing === 'accepted';
      const circle = seen.needs.includes(own);
      const words = acknowledged
        ? `${id} has shaken hands itself`
        : circle
          ? `${id} needs ${own} in its turn: a circle, in which nobody can be first`
          : `${id} is ${seen.standing}: its own handshake was not accepted`;
      return { id, registered: true, acknowledged, words, records: [] };
    }
  }
}
