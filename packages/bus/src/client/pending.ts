import type { Extra } from '../wire/frames.ts';
import type { Lane } from '../wire/lanes.ts';

/** A message this client has promised an answer for. */
export interface Pending {
  readonly subject: string;
  readonly lane: Lane;
  /** Flags of the frame, see wire/frames.ts. */
  flags: number;
  readonly id: string;
  readonly deadlineMono: number;
  readonly extra: Extra;
  readonly payload: unknown;
  readonly bytes: number;
  readonly isRequest: boolean;
  /** Its payload is a buffer that the sender gave away; once sent on a port it is not here any more. */
  readonly moves?: boolean;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  /** Promise settled: whatever still arrives for it is ignored. */
  settled: boolean;
}
