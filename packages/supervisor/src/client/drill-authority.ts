import { type FaultKind, fromWireError, GraceError, toWireError } from '@grace/contracts';

/** Who lets a drill happen. */
export interface DrillAuthority {
  /** @throws GraceError `NO_PERMIT` when policies forbid it, `APPROVAL_NEEDED`, `GOVERNANCE_UNREACHABLE` */
  grant(input: { holder: string; faults: readonly FaultKind[]; durationMs: number }): Promise<{ id: string }>;
  /** @throws GraceError what kept it from being told */
  end(id: string): Promise<void>;
}

/** The whole of what a drill asks for is asked at once, so this waits for one answer. */
const DEADLINE_MS = 5000;
/** Refusals that are an answer; everything else means that nobody decided. */
const ANSWERS = new Set(['APPROVAL_NEEDED', 'BAD_INPUT', 'TOO_LARGE', 'CONFLICT']);

/**
 * Drills are permitted by the governance kernel. When it does not answer, nobody has permitted anything.
 * @param call a verb of governance, as the supervisor
 */
export function governedDrills(
  armed: boolean,
  call: (verb: string, input: unknown, deadlineMs: number) => Promise<unknown>,
): DrillAuthority {
  return {
    async grant({ holder, faults, durationMs }) {
      try {
        const wish = { holder, faults: [...faults], forMs: durationMs, armed, principal: 'laboratory' };
        return (await call('permit', wish, DEADLINE_MS)) as { id: string };
      } catch (error) {
        const { code, message } = fromWireError(toWireError(error));
        if (code === 'FORBIDDEN') throw new GraceError('NO_PERMIT', `governance forbids the drill: ${message}`);
        if (ANSWERS.has(code)) throw error;
        throw new GraceError(
          'GOVERNANCE_UNREACHABLE',
          `governance could not be asked for a drill permit, so there is none: ${message}`,
          { code },
        );
      }
    },
    async end(id) {
      await call('revoke', { id }, DEADLINE_MS);
    },
  };
}
