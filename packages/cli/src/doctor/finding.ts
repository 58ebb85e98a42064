/** One thing this machine gives or does not give. */
export interface Finding {
  id: string;
  title: string;
  /** live: works here, shown by doing it. absent: does not, `detail` says why. unused: this version does not use it. */
  state: 'live' | 'absent' | 'unused';
  detail: string;
  /** Grace does not work without it. */
  required: boolean;
}

/** Does a thing for real: `live` with what it saw, or `absent` with why not. */
export async function attempt(
  id: string,
  title: string,
  work: () => Promise<string> | string,
  required = false,
): Promise<Finding> {
  try {
    return { id, title, state: 'live', detail: await work(), required };
  } catch (error) {
    return { id, title, state: 'absent', detail: (error as Error).message, required };
  }
}
