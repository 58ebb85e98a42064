import { kernelNamed, soundsLike } from './kernel-name.ts';
import type { Asked, Live, Said } from './live.ts';
import { shortened, tellFacts } from './tell.ts';

/** How the named kernel is: what its own `status` says now, or why it does not say it. */
export async function kernelStatus(live: Live, words: readonly string[]): Promise<Said> {
  const named = kernelNamed(words, live.kernels);
  if (named.kind === 'known') return await tell(live, named.id);
  const { said, near } = named;
  if (near !== undefined && live.isSpoken && soundsLike(said, near)) return await tell(live, near);
  if (near === undefined) return { text: `No kernel is called "${shortened(said)}". Say "which kernels are there?"` };
  return { text: `No kernel is called "${shortened(said)}". Did you mean ${near}?`, suggestion: near };
}

async function tell(live: Live, id: string): Promise<Said> {
  const asked = await live.ask(id, 'status');
  if (!asked.ok) return { text: describeFailure(id, asked) };
  return { text: `${id} answers: ${tellFacts(asked.value)}.` };
}

export function describeFailure(kernel: string, { code, message }: Extract<Asked, { ok: false }>): string {
  return `${kernel} does not answer now: ${code}, ${shortened(message, 160)}`;
}
