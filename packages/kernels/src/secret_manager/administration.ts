import { GraceError, type VerbMeta } from '@grace/contracts';
import { is, readInput, type Verb } from '@grace/kernel-sdk';
import { namePattern, principalName } from './names.ts';
import { knowGiven, type Parts, recorded } from './parts.ts';
import { type Contents, type Grant, RIGHTS, withGrant, withoutGrant } from './vault/contents.ts';
import { passphrase } from './vault/key-source.ts';

/** What only owners may: who has which grant, and the key of the vault. */
export function createAdministration(parts: Parts): Record<string, Verb> {
  const { ctx, settings, vault, desk, audit, nowMs } = parts;
  const { vault: id } = vault.standing;

  const changeGrants = async (
    by: string,
    add?: Omit<Grant, 'by' | 'sinceMs'>,
    remove?: Pick<Grant, 'principal' | 'pattern'>,
  ) => {
    const payload = { ...(add && { add }), ...(remove && { remove }) };
    const entry = { actor: by, action: 'secret:grants', resource: id, payload };
    await recorded(parts, entry, async () => {
      const answer = await desk.mayAdminister(by, 'grants', id);
      await vault.change((contents: Contents) => {
        const left = remove ? withoutGrant(contents, remove) : contents;
        const next = add ? withGrant(left, { ...add, can: [...new Set(add.can)], sinceMs: nowMs(), by }) : left;
        audit.record({ ...entry, outcome: 'ok', payload: { ...payload, ...answer } });
        return { contents: next, result: null };
      });
      audit.flush();
    });
  };

  return {
    /** All grants to an owner, their own to others; `add` gives one in place of that for the same pattern, `remove` takes one. */
    async grants(input: unknown, meta: VerbMeta) {
      const given = readInput(input, { add: is.optional(is.record()), remove: is.optional(is.record()) });
      const can = is.array(is.oneOf(RIGHTS), { max: RIGHTS.length });
      const add = given.add && readInput(given.add, { principal: principalName, pattern: namePattern, can });
      const remove = given.remove && readInput(given.remove, { principal: principalName, pattern: namePattern });
      if (add?.can.length === 0)
        throw new GraceError('BAD_INPUT', `input.add.can: expected at least one of ${RIGHTS.join(', ')}`);
      if (add || remove) await changeGrants(meta.from, add, remove);
      return vault.contents.grants
        .filter(({ principal }) => desk.isOwner(meta.from) || principal === meta.from)
        .map(({ sinceMs, ...grant }) => ({ ...grant, since: new Date(sinceMs).toISOString() }));
    },

    /**
     * Closes the vault with another key. Without a passphrase: a new key file, in the place of the one in use. With one: the old key opens
     * the vault until the new one has, at a start.
     */
    async rekey(input: unknown, meta: VerbMeta) {
      knowGiven(ctx, input);
      const { passphrase: given } = readInput(input, { passphrase: is.optional(text) });
      const entry = { actor: meta.from, action: 'secret:rekey', resource: id };
      return await recorded(parts, entry, async () => {
        const answer = await desk.mayAdminister(meta.from, 'rekey', id);
        if (given === undefined && settings.key.kind !== 'key_file')
          throw new GraceError('BAD_INPUT', 'input.passphrase: expected the new one: a passphrase opens this vault');
        const master = given === undefined ? null : passphrase(given, 'input.passphrase');
        audit.record({ ...entry, outcome: 'ok', payload: { ...answer } });
        const { generation, openedBy } = await vault.rekey(master);
        audit.flush();
        return { generation, openedBy, done: openedBy.length === 1 };
      });
    },
  };
}

function text(given: unknown, place: string): string {
  if (typeof given === 'string') return given;
  throw new GraceError('BAD_INPUT', `${place}: expected a text; what was given is not repeated here`, { place });
}
