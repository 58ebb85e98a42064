/**
 * The registry of every error code Grace can answer with. The code is also the anchor in docs/errors.md; a test holds the two together.
 * Retired codes are never used again for something else.
 */
export const ERRORS = {
  BUS_DENIED: 'The access rules do not let this principal use the subject.',
  BUS_MUTED: 'The principal is muted after repeated denied messages; it may publish again when the period is over.',
  BUS_OVERLOADED: 'A subscriber of the subject is too far behind and the queue in front of it is full.',
  BUS_DEADLINE: 'The deadline of the message passed before it was accepted or answered.',
  BUS_TOO_LARGE: 'The payload is larger than the bus carries in one message.',
  BUS_NO_RESPONDERS: 'Nobody subscribes to the subject of this request.',
  BUS_CLOSED: 'The bus connection is closed.',
  BUS_BAD_SUBJECT: 'The subject or pattern is not well formed.',
  BUS_UNAUTHENTICATED: 'The token presented on the bus socket is not valid.',
  CONFIG_INVALID: 'A configuration file does not have the expected shape.',
  CONFIG_UNREADABLE: 'A configuration file cannot be read.',
  USAGE: 'The command line is not understood.',
  HOME_TAKEN: 'Another system is running in this home.',
  HOME_UNUSABLE: 'The home directory cannot be used.',
  SOCKET_PATH: 'A Unix socket cannot be made at this path.',
  NOT_RUNNING: 'No system is running in this home.',
  DEADLINE: 'The other side did not answer in time.',
  CONNECTION_CLOSED: 'The connection closed before the answer came.',
  PROTOCOL: 'The other side sent something that is not part of the protocol.',
  UNKNOWN_METHOD: 'The method does not exist.',
  UNKNOWN_KERNEL: 'No kernel has this id.',
  UNKNOWN_VERB: 'The kernel has no verb of this name.',
  UNKNOWN_INCIDENT: 'No incident has this id.',
  KERNEL_NOT_RUNNING: 'The kernel is not running at the moment.',
  KERNEL_GONE: 'The thread of the kernel ended before it answered.',
  KERNEL_MISSING: 'The module of the kernel cannot be found.',
  KERNEL_INVALID: 'The module of the kernel does not export a kernel.',
  KERNEL_START: 'The kernel threw while it started.',
  KERNEL_NEVER_READY: 'The kernel did not become ready before its deadline.',
  KERNEL_HUNG: 'The thread of the kernel stopped answering and was replaced.',
  NEEDS_CYCLE: 'Kernels need each other in a circle, so none of them can start first.',
  NEEDS_UNKNOWN: 'A kernel needs a kernel that does not exist.',
  NEEDS_FAILED: 'A kernel that this one needs did not become ready.',
  CELL_GONE: 'The host process of the kernel ended.',
  BAD_INPUT: 'The input of the verb does not have the expected shape.',
  NOT_FOUND: 'The thing asked for does not exist.',
  CONFLICT: 'The thing exists already, or is busy.',
  TOO_LARGE: 'The input is larger than is accepted.',
  UNSUPPORTED_TYPE: 'Documents of this type cannot be read.',
  DOCUMENT_UNREADABLE: 'The document is damaged or encrypted, or reading it takes more than a reader may spend.',
  FORBIDDEN: 'This caller may not do that.',
  APPROVAL_NEEDED: 'Policies let this happen only after somebody has approved it.',
  GOVERNANCE_UNREACHABLE: 'Governance could not be asked, so what needs its permission was not done.',
  POLICY_INVALID: 'A policy, its schema or its settings do not have the expected form.',
  NOT_ARMED: 'Faults exist only in a system that was booted armed.',
  NO_PERMIT: 'No valid drill permit covers this fault.',
  FAULT_UNKNOWN: 'No fault has this name.',
  FAULT_TARGET: 'The target of the fault is not there, or not in the incarnation the lease names.',
  SCENARIO_INVALID: 'A scenario file does not have the expected shape.',
  STORAGE_FULL: 'The disk is full; the write was refused and nothing acknowledged before it is lost.',
  STORAGE_FAILED: 'The file system refused a write.',
  STORAGE_DAMAGED: 'A file in which a kernel keeps its state is damaged; it was left as it is.',
  LEDGER_CORRUPT: 'A record of the ledger does not match its checksum or its hash link.',
  LEDGER_CLOSED: 'The ledger is closed.',
  PROOF_INVALID: 'A signature or a proof does not verify.',
  KEY_UNUSABLE: 'A file with a secret key may be read by others, or holds no key.',
  VAULT_KEY_WRONG: 'The key of the vault is missing, or is not the one it was closed with.',
  VAULT_DAMAGED: 'The vault is not the file that was written: it was cut off or changed.',
  VAULT_ROLLED_BACK: 'The vault is an earlier one than the last that was written, or is gone.',
  VAULT_VERSION: 'The vault was written in a format that this version does not read.',
  API_UNAUTHENTICATED: 'The request carries no token that is valid.',
  API_RATE: 'This token or address has sent too many requests.',
  API_METHOD: 'The route does not know this HTTP method.',
  API_MALFORMED: 'The request is not well-formed HTTP, or came too slowly.',
  API_FULL: 'The HTTP server does as much at once as it may, or is about to end.',
  API_LISTEN: 'The HTTP server cannot listen at its address.',
  SANDBOX_ERROR: 'The snippet threw, or the program could not be started.',
  SANDBOX_TIMEOUT: 'The run was not done at its deadline and was ended.',
  SANDBOX_MEMORY: 'The run needed more memory or stack than it may have and was ended.',
  SANDBOX_OUTPUT: 'The run wrote more than it may and was ended.',
  SANDBOX_PROCESSES: 'The run had more processes than it may have and was ended.',
  SANDBOX_DISK: 'The files of the run took more room than they may and it was ended.',
  SANDBOX_CANCELLED: 'The run was ended because somebody asked for it, or because the sandbox stopped.',
  SANDBOX_ISOLATION: 'Something the program must be confined by is not there on this machine, so it was not started.',
  SANDBOX_BUSY: 'As many runs as may be are under way, and as many as may wait are waiting.',
  VOICE_FULL: 'As many sessions or turns are open as may be, or more audio came than may.',
  VOICE_BUDGET: 'The budget of this hour for speech providers is used up.',
  VOICE_PROVIDER: 'A speech provider cannot be reached, or does not answer as one should.',
  VOICE_LISTEN: 'The WebSocket server of voice_conversation cannot listen at its address.',
  PLAYBOOK_INVALID: 'A playbook file does not have the expected shape.',
  INTERNAL: 'Something went wrong inside Grace that has no code of its own.',
} as const;

export type ErrorCode = keyof typeof ERRORS;

/** How an error crosses a thread, a process or the control socket. */
export interface WireError {
  code: ErrorCode;
  message: string;
  details?: Record<string, unknown>;
  /** Stack of the thread in which it was thrown, for evidence. */
  stack?: string;
}

/** An error with a code of the registry. `message` says what happened here; the registry says what the code means. */
export class GraceError extends Error {
  readonly code: ErrorCode;
  readonly details: Record<string, unknown>;

  constructor(code: ErrorCode, message?: string, details: Record<string, unknown> = {}, options?: ErrorOptions) {
    super(message ?? ERRORS[code], options);
    this.name = 'GraceError';
    this.code = code;
    this.details = details;
  }
}

/** Any thrown value in its wire form. A value without a registered code becomes `fallback`. */
export function toWireError(error: unknown, fallback: ErrorCode = 'INTERNAL'): WireError {
  if (error instanceof Error) {
    const code = (error as { code?: unknown }).code;
    const details = (error as { details?: unknown }).details;
    return {
      code: isErrorCode(code) ? code : fallback,
      message: error.message,
      ...(details !== null && typeof details === 'object' ? { details: details as Record<string, unknown> } : {}),
      ...(error.stack === undefined ? {} : { stack: error.stack }),
    };
  }
  return {
    code: fallback,
    message: typeof error === 'string' ? error : `a value that is no Error was thrown: ${describe(error)}`,
  };
}

/** Revives an error that crossed a border; the remote stack is kept as `details.remoteStack`. */
export function fromWireError(wire: WireError): GraceError {
  const details = { ...wire.details, ...(wire.stack === undefined ? {} : { remoteStack: wire.stack }) };
  return new GraceError(isErrorCode(wire.code) ? wire.code : 'INTERNAL', wire.message, details);
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERRORS, value);
}

/** Any value as text; some objects cannot be made into one. */
function describe(value: unknown): string {
  try {
    return String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
