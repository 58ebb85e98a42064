/** What a thread of the pool is asked, and what it answers. Plain values: they cross by structured clone. */
export interface Evaluation {
  code: string;
  /** JSON. */
  input: string;
  timeoutMs: number;
  /** Everything that the engine and the snippet hold. */
  memoryBytes: number;
  /** Characters of the value, and of what is printed. */
  outputLength: number;
}

export type Evaluated =
  | { state: 'ok'; value: unknown; console: string[]; memoryBytes: number }
  | {
      state: 'timeout' | 'memory' | 'output' | 'error';
      message: string;
      /** Line of the snippet, from 1. */
      line: number | null;
      console: string[];
      memoryBytes: number;
    };
