import { stripVTControlCharacters, styleText } from 'node:util';
import { GraceError, toWireError } from '@grace/contracts';
import { hintOf } from '../exit.ts';
import { toAscii, toAsciiJson } from './ascii.ts';

export interface OutputOptions {
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  json: boolean;
  ascii: boolean;
  color: boolean;
  verbose: boolean;
  quiet: boolean;
}

export type Tone = 'good' | 'bad' | 'warn' | 'dim' | 'bold';
const STYLES = { good: 'green', bad: 'red', warn: 'yellow', dim: 'dim', bold: 'bold' } as const;

/** Where a command's words go: results to stdout, everything else to stderr; with `--json`, stdout carries documents only. */
export class Output {
  readonly json: boolean;
  readonly ascii: boolean;
  readonly color: boolean;
  readonly verbose: boolean;
  readonly quiet: boolean;
  readonly #stdout: NodeJS.WriteStream;
  readonly #stderr: NodeJS.WriteStream;

  constructor(options: OutputOptions) {
    this.#stdout = options.stdout;
    this.#stderr = options.stderr;
    this.json = options.json;
    this.ascii = options.ascii;
    this.color = options.color;
    this.verbose = options.verbose;
    this.quiet = options.quiet;
  }

  /** A picture that redraws itself makes sense: a person looks at a terminal. */
  get live(): boolean {
    // A terminal that does not know its size has none to draw in.
    const { isTTY, columns, rows } = this.#stdout;
    return isTTY === true && columns > 0 && rows > 0 && !this.json && !this.quiet;
  }

  get stream(): NodeJS.WriteStream {
    return this.#stdout;
  }

  /** A line of the result. */
  line(text = ''): void {
    (this.json ? this.#stderr : this.#stdout).write(`${this.text(text)}\n`);
  }

  /** A step on the way to the result; silent with `-q`. */
  step(text: string): void {
    if (!this.quiet) this.line(text);
  }

  /** Hints and asides, on standard error; silent with `-q`. */
  note(text: string): void {
    if (!this.quiet) this.#stderr.write(`${this.text(text)}\n`);
  }

  /** Only with `-v`. */
  detail(text: string): void {
    if (this.verbose) this.#stderr.write(`${this.text(text)}\n`);
  }

  /** What the parser of command lines has to say; it ends its lines itself. */
  complain(text: string): void {
    this.#stderr.write(this.text(text));
  }

  /** The one JSON document of this command. */
  document(value: unknown): void {
    this.#writeJson(JSON.stringify(value, null, 2));
  }

  /** One line of NDJSON. */
  record(value: unknown): void {
    this.#writeJson(JSON.stringify(value));
  }

  error(error: unknown): void {
    const wire = toWireError(error);
    if (this.json) {
      const { code, message, details } = wire;
      this.document({ error: { code, message, ...(details && { details: withoutStack(details) }) } });
    }
    this.#stderr.write(`${this.text(`grace: ${this.paint('bad', wire.code)}: ${printable(wire.message)}`)}\n`);
    const hint = hintOf(error);
    if (hint !== undefined) this.#stderr.write(`${this.text(`  ${hint}`)}\n`);
    // Without a code of its own it is a defect, and the stack is what a report of it needs.
    if (error instanceof Error && (this.verbose || !(error instanceof GraceError))) {
      this.#stderr.write(`${this.text(this.paint('dim', error.stack ?? ''))}\n`);
    }
  }

  paint(tone: Tone, text: string): string {
    return this.color ? styleText(STYLES[tone], text, { validateStream: false }) : text;
  }

  /** As it goes out: without a character above 127 under `--ascii`. */
  text(text: string): string {
    return this.ascii ? toAscii(text) : text;
  }

  #writeJson(json: string): void {
    this.#stdout.write(`${this.ascii ? toAsciiJson(json) : json}\n`);
  }
}

function withoutStack({ remoteStack: _, ...details }: Record<string, unknown>): Record<string, unknown> {
  return details;
}

/** Text from outside without control characters, so that it cannot drive the terminal; line ends stay. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, '');
}
