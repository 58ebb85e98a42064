import { type AclDocument, type AclRules, GraceError } from '@grace/contracts';
import { isPattern, isSubject } from '../subject/subject.ts';
import { SubjectTrie } from '../subject/trie.ts';

export type Verdict = 'allowed' | 'denied' | 'no rule' | 'malformed';

/** Verdicts on subjects are remembered; a sender that invents subjects only empties this memory. */
const REMEMBERED_SUBJECTS = 1024;

/** What one principal may do: its rules as tries, deny before allow, no rule means no. */
export class Access {
  readonly #publish: Direction;
  readonly #subscribe: Direction;
  readonly #verdicts = new Map<string, Verdict>();

  constructor(rules: readonly AclRules[], principal: string) {
    this.#publish = compile(rules, 'publish', principal);
    this.#subscribe = compile(rules, 'subscribe', principal);
  }

  publish(subject: string): Verdict {
    let verdict = this.#verdicts.get(subject);
    if (verdict === undefined) {
      verdict = isSubject(subject) ? judge(this.#publish, (rules) => rules.matches(subject)) : 'malformed';
      if (this.#verdicts.size === REMEMBERED_SUBJECTS) this.#verdicts.clear();
      this.#verdicts.set(subject, verdict);
    }
    return verdict;
  }

  /** A pattern is allowed when one rule allows all of it; where a deny rule covers only part, that part is filtered out later. */
  subscribe(pattern: string): Verdict {
    return judge(this.#subscribe, (rules) => rules.covers(pattern));
  }

  /** Whether some messages of the pattern are denied. */
  mustFilter(pattern: string): boolean {
    return this.#subscribe.deny.overlaps(pattern);
  }

  mayReceive(subject: string): boolean {
    return !this.#subscribe.deny.matches(subject);
  }
}

/** The access rules of all principals, compiled once for each when it first appears. */
export class AccessRules {
  readonly #document: AclDocument;
  readonly #compiled = new Map<string, Access>();

  /** @throws GraceError `CONFIG_INVALID` naming the rule that is no pattern */
  constructor(document: AclDocument) {
    check(document.kernels, 'kernels');
    for (const [principal, rules] of Object.entries(document.principals)) check(rules, `principals.${principal}`);
    this.#document = document;
  }

  of(principal: string, kernel: boolean): Access {
    const key = `${kernel ? 'kernel' : 'client'} ${principal}`;
    let access = this.#compiled.get(key);
    if (!access) {
      const { kernels, principals } = this.#document;
      const own = Object.hasOwn(principals, principal) ? [principals[principal]!] : [];
      access = new Access(kernel ? [kernels, ...own] : own, principal);
      this.#compiled.set(key, access);
    }
    return access;
  }
}

interface Direction {
  allow: SubjectTrie<true>;
  deny: SubjectTrie<true>;
}

function judge({ allow, deny }: Direction, applies: (rules: SubjectTrie<true>) => boolean): Verdict {
  if (applies(deny)) return 'denied';
  return applies(allow) ? 'allowed' : 'no rule';
}

function compile(rules: readonly AclRules[], direction: 'publish' | 'subscribe', principal: string): Direction {
  const compiled: Direction = { allow: new SubjectTrie(), deny: new SubjectTrie() };
  for (const rule of rules) {
    for (const effect of ['allow', 'deny'] as const) {
      for (const pattern of rule[direction][effect])
        compiled[effect].add(pattern.replaceAll('{self}', principal), true);
    }
  }
  return compiled;
}

function check(rules: AclRules, place: string): void {
  for (const direction of ['publish', 'subscribe'] as const) {
    for (const effect of ['allow', 'deny'] as const) {
      for (const [i, pattern] of rules[direction][effect].entries()) {
        if (isPattern(pattern)) continue;
        throw new GraceError(
          'CONFIG_INVALID',
          `${place}.${direction}.${effect}[${i}]: "${pattern}" is not a pattern of subjects`,
        );
      }
    }
  }
}
