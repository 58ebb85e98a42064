import { GraceError } from '@grace/contracts';

/** Deeper JSON is nobody's input; much deeper, it exhausts the stack of whoever copies it. */
const DEPTH_MAX = 64;

/** @throws GraceError `API_MALFORMED` for JSON nested deeper than `DEPTH_MAX`; what is no JSON at all is left to the parser */
export function checkDepth(text: string): void {
  let depth = 0;
  let isText = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (isText) {
      if (code === 0x5c) i++;
      else if (code === 0x22) isText = false;
    } else if (code === 0x22) isText = true;
    else if (code === 0x7b || code === 0x5b) {
      if (++depth > DEPTH_MAX)
        throw new GraceError('API_MALFORMED', `the body is nested deeper than ${DEPTH_MAX} levels`);
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
}
