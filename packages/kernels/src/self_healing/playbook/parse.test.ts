// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of playbooks look like this
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { GraceError } from '@grace/contracts';
import { parsePlaybook } from './parse.ts';

const FOLDER = new URL('../../../../../configs/playbooks/', import.meta.url);

const GOOD = `id: example
title: An example
trigger: [heartbeat_gap]
conditions:
  - { fact: target.known, is: true }
guards: { budget: 3, window: 1m, cool_down: 2s }
steps:
  - id: ask
    action: { probe: { kernel: '\${target.id}' } }
    deadline: 2s
    retry: { attempts: 2, delay: 100ms }
    on_failure: continue
  - id: tell
    when:
      - { fact: steps.ask.ok, is: false }
    action: { verb: { kernel: librarian, verb: note, input: { about: '\${incident.subject}' } } }
    deadline: 1s
    verify:
      - any:
          - { fact: target.logsGained, above: 0 }
          - { fact: target.state, in: [running, draining] }
    compensation: { verb: { kernel: librarian, verb: forget, input: {} } }
worse:
  - { fact: target.restarts, above: '\${before.target.restarts}' }
post_condition:
  all:
    - { fact: target.heartbeatAgeMs, below: 300 }
  hold: 1s
  within: 10s
`;

/** The one message for `GOOD` with `from` replaced by `to`. */
function refusal(from: string, to: string): string {
  assert.ok(GOOD.includes(from), `the example contains ${from}`);
  try {
    parsePlaybook(GOOD.replace(from, to), 'example.yaml');
  } catch (error) {
    assert.ok(error instanceof GraceError);
    assert.equal(error.code, 'PLAYBOOK_INVALID');
    return error.message;
  }
  throw new Error(`accepted: ${to}`);
}

describe('playbook files', () => {
  test('a playbook is read with its times in milliseconds and nothing optional', () => {
    const playbook = parsePlaybook(GOOD, 'example.yaml');
    assert.deepEqual(playbook.guards, { budget: 3, windowMs: 60_000, coolDownMs: 2000 });
    const [ask, tell] = playbook.steps;
    assert.deepEqual(ask, {
      id: 'ask',
      when: [],
      action: { kind: 'probe', kernel: '${target.id}' },
      deadlineMs: 2000,
      attempts: 2,
      delayMs: 100,
      verify: [],
      onFailure: 'continue',
      compensation: null,
    });
    assert.deepEqual(tell?.compensation, { kind: 'verb', kernel: 'librarian', verb: 'forget', input: {} });
    assert.equal('any' in tell!.verify[0]!, true);
    assert.deepEqual(playbook.postCondition.holdMs, 1000);
  });

  test('every playbook of the product is valid and stands in the file of its name', () => {
    const files = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));
    assert.ok(files.length >= 3);
    for (const file of files) {
      const playbook = parsePlaybook(readFileSync(new URL(file, FOLDER), 'utf8'), file);
      assert.equal(`${playbook.id}.yaml`, file);
    }
  });

  test('an unknown trigger is refused with its line and the nearest kind', () => {
    assert.match(refusal('[heartbeat_gap]', '[heartbeat_gaps]'), /^example\.yaml:3:\d+: .*heartbeat_gap"\?\)/);
  });

  test('an unknown key is refused with its line and the nearest key', () => {
    assert.match(
      refusal('on_failure: continue', 'on_failur: continue'),
      /^example\.yaml:12:\d+: .*did you mean "on_failure"/,
    );
  });

  test('a fact that does not exist is refused with its line and the nearest fact', () => {
    assert.match(
      refusal('target.heartbeatAgeMs', 'target.heartbeatAge'),
      /^example\.yaml:27:\d+: .*did you mean "heartbeatAgeMs"/,
    );
    assert.match(refusal('target.known', 'targt.known'), /^example\.yaml:5:\d+: .*did you mean "target"/);
  });

  test('an unknown operator is refused', () => {
    assert.match(refusal('below: 300', 'bellow: 300'), /^example\.yaml:27:\d+: .*did you mean "below"/);
    assert.match(refusal('below: 300', 'below: 300, above: 1'), /example\.yaml:27:\d+: .*one operator/);
  });

  test('a step may look only at steps before it', () => {
    assert.match(refusal('steps.ask.ok', 'steps.tell.ok'), /"tell" is not a step/);
  });

  test('two steps of one name, and none at all, are refused', () => {
    assert.match(refusal('id: tell', 'id: ask'), /"ask" twice/);
    assert.match(refusal('{ probe: { kernel: ', '{ probes: { kernel: '), /did you mean "probe"/);
    assert.match(refusal("{ probe: { kernel: '${target.id}' } }", '{}'), /expected one action/);
  });

  test('a placeholder without a fact behind it is refused', () => {
    assert.match(refusal('${incident.subject}', '${incident.subjct}'), /did you mean "subject"/);
  });

  test('no playbook widens access, neither by a step nor by a compensation', () => {
    const widen = '{ kernel: message_bus, verb: unmute, input: {} }';
    assert.match(refusal('{ kernel: librarian, verb: forget, input: {} }', widen), /does not widen access/);
    assert.match(
      refusal(
        "{ kernel: librarian, verb: note, input: { about: '${incident.subject}' } }",
        widen.replace('unmute', 'permit'),
      ),
      /does not widen access/,
    );
    assert.match(
      refusal('kernel: librarian, verb: forget', "kernel: '${target.id}', verb: unmute"),
      /does not widen access/,
    );
    assert.match(
      refusal('kernel: librarian, verb: forget', "kernel: message_bus, verb: '${target.id}'"),
      /does not widen access/,
    );
  });

  test('every step has a deadline and every post-condition a hold', () => {
    assert.match(refusal('    deadline: 2s\n', ''), /deadline/);
    assert.match(refusal('  hold: 1s\n', ''), /hold/);
    assert.match(refusal('deadline: 2s', 'deadline: soon'), /example\.yaml:10:\d+: .*duration/);
  });
});
