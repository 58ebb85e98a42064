import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parseAcl } from '@grace/contracts/config';
import { catalogue, parseInvariants, parsePlan, parsePlaybook, parseTriggers } from '@grace/kernels';

/** The files of configuration that a boot reads, by kind. `kernels`: the ids there are. */
const PARSERS = {
  acl: (text: string, file: string) => parseAcl(text, file),
  playbook: (text: string, file: string) => parsePlaybook(text, file),
  plan: (text: string, file: string, kernels: readonly string[]) => parsePlan(text, file, kernels),
  invariants: (text: string, file: string) => parseInvariants(text, file),
  triggers: (text: string, file: string) => parseTriggers(text, file),
};
type Kind = keyof typeof PARSERS;
type Parsed<K extends Kind> = ReturnType<(typeof PARSERS)[K]>;

/** What texts were found to say, by kind and content. */
export type Checked = Readonly<Record<string, unknown>>;

/** Where each built-in file lies below the folder of configurations; a folder stands for all of its files. */
const BUILT_IN: readonly (readonly [Kind, string])[] = [
  ['acl', 'acl.yaml'],
  ['playbook', 'playbooks'],
  ['plan', 'plans'],
  ['invariants', 'invariants.yaml'],
  ['triggers', 'triggers.yaml'],
];

/**
 * Reads one file of configuration. One whose very text was checked by the build is taken as it was found then: reading the built-in ones anew
 * takes every boot 150 ms.
 * @param file as messages name it
 * @throws GraceError as the parser of its kind does
 */
export function parseChecked<K extends Kind>(
  checked: Checked,
  kind: K,
  text: string,
  file: string,
  kernels: readonly string[],
): Parsed<K> {
  return (checked[keyOf(kind, text)] ?? PARSERS[kind](text, file, kernels)) as Parsed<K>;
}

/** Checks the built-in files in a folder. @throws GraceError of the first that is wrong */
export async function checkBuiltIn(configs: string): Promise<Checked> {
  const kernels = catalogue('').map(({ id }) => id);
  const checked: Record<string, unknown> = {};
  for (const [kind, place] of BUILT_IN) {
    for (const file of await filesOf(join(configs, place))) {
      const text = await readFile(file, 'utf8');
      const value = PARSERS[kind](text, file, kernels);
      // One that JSON would change is left to be read each time.
      if (isDeepStrictEqual(JSON.parse(JSON.stringify(value)), value)) checked[keyOf(kind, text)] = value;
    }
  }
  return checked;
}

async function filesOf(place: string): Promise<string[]> {
  if (place.endsWith('.yaml')) return [place];
  return (await readdir(place)).filter((name) => name.endsWith('.yaml')).map((name) => join(place, name));
}

function keyOf(kind: Kind, text: string): string {
  return createHash('sha256').update(`${kind}\n${text}`).digest('hex');
}
