import { GraceError } from '@grace/contracts';
import { type ControlClient, connectControl } from '@grace/control';
import type { Session } from '../session.ts';

/**
 * Does something with the system that runs in the home, and hangs up.
 * @throws GraceError `NOT_RUNNING`
 */
export async function withSystem<T>(
  session: Pick<Session, 'home'>,
  work: (client: ControlClient) => Promise<T>,
  name = 'cli',
): Promise<T> {
  const client = await connect(session.home, name);
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

export async function connect(home: string, name = 'cli'): Promise<ControlClient> {
  try {
    return await connectControl(home, { role: 'client', name });
  } catch (error) {
    if (error instanceof GraceError && error.code === 'NOT_RUNNING') {
      throw new GraceError('NOT_RUNNING', `no system is running in ${home}`, { home });
    }
    throw error;
  }
}
