import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { freshFolder } from '../../test/folder.ts';
import { openNote, parseVkey, readWitnessState } from '../tree/index.ts';
import { type Answer, createJudge } from './judge.ts';
import { WitnessRecord } from './record.ts';

// The conversation with which filippo.io/torchwood tests its witness (litewitness, testdata/litewitness.txt).
const ORIGIN = 'sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562';
const KEY = Buffer.from('ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f', 'hex');
const LEAVES = ['KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=', 'KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='];
const SIGNED = {
  1: {
    root: 'KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
    by: 'UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY=',
  },
  3: {
    root: 'RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=',
    by: 'UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go=',
  },
  5: {
    root: 'QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=',
    by: 'UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7sDww=',
  },
} as const;
const TO_FIVE = [
  'KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
  'KgMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
  'wgiIFdZfYNv6WU1OllBKsWnLYIS/DBMqt8Uh/S4OukE=',
  'KgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
];

function request(old: number, size: 1 | 3 | 5, proof: readonly string[] = [], origin = ORIGIN): string {
  const { root, by } = SIGNED[size];
  return [`old ${old}`, ...proof, '', origin, size, root, '', `— ${origin} ${by}`, ''].join('\n');
}

async function judged(t: TestContext) {
  const dir = await freshFolder(t);
  const open = async () => {
    const record = await WitnessRecord.open(dir, 'example.com/witness');
    await record.know(vkeyOf(ORIGIN, KEY));
    return createJudge(record);
  };
  return { dir, open, judge: await open() };
}

/** The vkey of a published key; the id in it is that of the signatures above. */
function vkeyOf(name: string, key: Buffer): string {
  return `${name}+5202289b+${Buffer.concat([Buffer.from([1]), key]).toString('base64')}`;
}

describe('a witness', () => {
  test('answers the published conversation of another implementation', async (t) => {
    const { judge, dir } = await judged(t);
    const expect = async (body: string, status: Answer['status'], text?: RegExp) => {
      const answer = await judge(body);
      assert.equal(answer.status, status, answer.body);
      if (text) assert.match(answer.body, text);
      return answer;
    };
    await expect(request(0, 1), 200, /^— example\.com\/witness \S+\n$/);
    await expect(request(1, 3, LEAVES).replace('rx6go=', 'rx6gx='), 403);
    await expect(request(1, 3, LEAVES, ORIGIN.replace(/2$/, '3')), 404);
    await expect(request(1, 3), 422, /consistency proof/);
    await expect(request(1, 3, [LEAVES[0]!, 'KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABA=']), 422);
    const signed = await expect(request(1, 3, LEAVES), 200);
    const conflict = await expect(request(1, 5, TO_FIVE.slice(0, 3)), 409, /^3\n$/);
    assert.equal(conflict.type, 'text/x.tlog.size');
    await expect(request(3, 5, TO_FIVE), 200);
    await expect(request(0, 5), 409, /^5\n$/);
    await expect(request(3, 3), 409, /^5\n$/);

    const state = (await readWitnessState(dir, ORIGIN))!;
    assert.deepEqual([state.head!.size, state.head!.root.toString('base64')], [5, SIGNED[5].root]);
    const text = `${ORIGIN}\n3\n${SIGNED[3].root}\n`;
    const [cosignature] = openNote(`${text}\n${signed.body}`, [state.verifier]).signatures;
    assert.ok(Math.abs(Date.now() - cosignature!.atMs!) < 60_000);
  });

  test('does not take what is no request', async (t) => {
    const { judge } = await judged(t);
    const bad = [
      '',
      'old 0\n',
      'old 00\n\nx',
      'new 0\n\nx',
      `old 0\n\n${'x'.repeat(20)}`,
      request(0, 1).replace('\n1\n', '\none\n'),
    ];
    for (const body of [...bad, request(9, 1), request(1, 3, Array(64).fill(LEAVES[0]))]) {
      assert.equal((await judge(body)).status, 400, body.slice(0, 40));
    }
    // Nothing of it was remembered.
    assert.equal((await judge(request(0, 1))).status, 200);
  });

  test('remembers what it signed when it is started again, and the key of the log', async (t) => {
    const { judge, open, dir } = await judged(t);
    assert.equal((await judge(request(0, 3))).status, 200);
    const again = await open();
    assert.equal((await again(request(0, 3))).status, 409);
    assert.equal((await again(request(3, 3))).status, 200);
    const record = await WitnessRecord.open(dir, 'another name');
    assert.equal(record.signer.verifier.name, 'example.com/witness');
    const other = parseVkey('example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k');
    await record.know(other.vkey);
    assert.deepEqual(record.origins.sort(), ['example.com/foo', ORIGIN]);
  });

  test('does not let two requests overtake each other', async (t) => {
    const { judge } = await judged(t);
    await judge(request(0, 1));
    const answers = await Promise.all([
      judge(request(1, 3, LEAVES)),
      judge(request(1, 3, LEAVES)),
      judge(request(1, 3, LEAVES)),
    ]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 409, 409],
    );
  });
});
