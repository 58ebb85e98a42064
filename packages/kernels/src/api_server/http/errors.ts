import { type ErrorCode, GraceError, isErrorCode } from '@grace/contracts';

/** The one form of every error this server answers. */
export interface ErrorBody {
  error: { code: ErrorCode; message: string; details?: Record<string, unknown> };
}

/** What is not here is 500. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  BAD_INPUT: 400,
  API_MALFORMED: 400,
  BUS_BAD_SUBJECT: 400,
  PLAYBOOK_INVALID: 400,
  POLICY_INVALID: 400,
  SCENARIO_INVALID: 400,
  API_UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  APPROVAL_NEEDED: 403,
  BUS_DENIED: 403,
  NO_PERMIT: 403,
  NOT_ARMED: 403,
  UNKNOWN_KERNEL: 404,
  UNKNOWN_VERB: 404,
  UNKNOWN_INCIDENT: 404,
  NOT_FOUND: 404,
  API_METHOD: 405,
  CONFLICT: 409,
  TOO_LARGE: 413,
  BUS_TOO_LARGE: 413,
  UNSUPPORTED_TYPE: 415,
  API_RATE: 429,
  API_FULL: 503,
  KERNEL_NOT_RUNNING: 503,
  KERNEL_GONE: 503,
  CELL_GONE: 503,
  CONNECTION_CLOSED: 503,
  GOVERNANCE_UNREACHABLE: 503,
  BUS_OVERLOADED: 503,
  BUS_MUTED: 503,
  BUS_CLOSED: 503,
  BUS_NO_RESPONDERS: 503,
  DEADLINE: 504,
  BUS_DEADLINE: 504,
  STORAGE_FULL: 507,
};

export const statusOf = (code: ErrorCode): number => STATUS[code] ?? 500;

/** Details of errors that crossed threads carry the stack of the other side: that is for the logs of the machine. */
export function errorBody({ code, message, details }: GraceError): ErrorBody {
  const { remoteStack: _, ...shown } = details;
  return { error: { code, message, ...(Object.keys(shown).length > 0 ? { details: shown } : {}) } };
}

/** Anything thrown on the way, as an error with a code and the status it is answered with. */
export function asGraceError(error: unknown): { error: GraceError; status: number } {
  if (error instanceof Error && isErrorCode((error as { code?: unknown }).code)) {
    const { code, message, details } = error as GraceError;
    return { error: new GraceError(code, message, details, { cause: error }), status: statusOf(code) };
  }
  const { statusCode, code, message = '' } = (error ?? {}) as { statusCode?: number; code?: string; message?: string };
  if (statusCode === 413) return { error: new GraceError('TOO_LARGE', message), status: 413 };
  if (statusCode === 415)
    return { error: new GraceError('UNSUPPORTED_TYPE', 'expected a body of application/json'), status: 415 };
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return { error: new GraceError('API_MALFORMED', message), status: statusCode };
  return {
    error: new GraceError(
      'INTERNAL',
      `the request could not be answered${code ? ` (${code})` : ''}`,
      {},
      {
        cause: error,
      },
    ),
    status: 500,
  };
}

/** What Node's parser refuses, before there is a request. */
export function parserError(code: string | undefined, reason: string): { error: GraceError; status: number } {
  if (code === 'HPE_HEADER_OVERFLOW')
    return { error: new GraceError('API_MALFORMED', 'the headers are larger than is accepted'), status: 431 };
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return { error: new GraceError('API_MALFORMED', 'the request did not come in time'), status: 408 };
  return { error: new GraceError('API_MALFORMED', `not HTTP: ${reason}`), status: 400 };
}
