import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { headText, openCheckpoint, parseHead } from './checkpoint.ts';
import { openNote, parseVkey, signerOf } from './note.ts';

// https://c2sp.org/signed-note, section "Example".
const SPEC = {
  vkey: 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k',
  note: 'This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n',
};
// golang.org/x/mod/sumdb/note, examples.
const GO = {
  seed: Buffer.from('AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz', 'base64').subarray(1),
  vkey: 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
  text: "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n",
  line: '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n',
};
// The checkpoint of the Go checksum database that tlog-witness implementations test with.
const SUMDB = {
  vkey: 'sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8',
  note: 'go.sum database tree\n35225469\nvt5T6GaLCXvyHFl9VUvvItR43XZxfLgftEcTyO3eJCQ=\n\n— sum.golang.org Az3grpukl5AXaVfYkLiDGORx/DN2nlcS5kZHR5uYOBV2KA2HgXpD+gu9HHONebHLAyaKbbTM75QTtPydhKCExixSfwQ=\n',
};
const invalid = { code: 'PROOF_INVALID' };

describe('a signed note', () => {
  test('of the specification, of the Go packages and of the Go checksum database verifies', () => {
    assert.equal(openNote(SPEC.note, [parseVkey(SPEC.vkey)]).text, 'This is an example message.\n');
    assert.equal(openNote(`${GO.text}\n${GO.line}`, [parseVkey(GO.vkey)]).signatures[0]!.keyId, 'c74f20a3');
    const { text } = openNote(SUMDB.note, [parseVkey(SUMDB.vkey)]);
    assert.equal(parseHead(text).size, 35_225_469);
    // Its key is not named like its origin, so it is a note, and no checkpoint of a log of ours.
    assert.throws(() => openCheckpoint(SUMDB.note, [parseVkey(SUMDB.vkey)]), invalid);
  });

  test('is signed byte for byte as the Go packages sign it', () => {
    const signer = signerOf('PeterNeumann', 'signature', GO.seed);
    assert.equal(signer.verifier.vkey, GO.vkey);
    assert.equal(signer.sign(GO.text), GO.line);
  });

  test('with one character changed, in text or signature, does not verify', () => {
    const note = `${GO.text}\n${GO.line}`;
    const verifiers = [parseVkey(GO.vkey)];
    fc.assert(
      fc.property(fc.nat(note.length - 1), fc.integer({ min: 1, max: 126 }), (at, by) => {
        const code = (note.charCodeAt(at) + by) % 127;
        const changed = note.slice(0, at) + String.fromCharCode(code) + note.slice(at + 1);
        if (changed !== note) assert.throws(() => openNote(changed, verifiers), invalid);
      }),
      { numRuns: 500 },
    );
  });

  test('passes over unknown signatures, and needs a known one', () => {
    const other = signerOf('other', 'signature', Buffer.alloc(32, 1));
    const note = `${GO.text}\n${other.sign(GO.text)}${GO.line}`;
    assert.deepEqual(
      openNote(note, [parseVkey(GO.vkey)]).signatures.map(({ name }) => name),
      ['PeterNeumann'],
    );
    assert.throws(() => openNote(`${GO.text}\n${other.sign(GO.text)}`, [parseVkey(GO.vkey)]), invalid);
    // The same name and id with another text is a forgery, not an unknown signature.
    const forged = `${GO.text}\n${GO.line}${other.sign('another text\n')}`;
    assert.throws(() => openNote(forged, [parseVkey(GO.vkey), other.verifier]), invalid);
  });

  test('may not hold control characters, or a key another id than its own', () => {
    assert.throws(() => openNote(`a\tb\n\n${GO.line}`, [parseVkey(GO.vkey)]), invalid);
    for (const bad of [
      GO.vkey.replace('c74f20a3', 'c74f20a4'),
      'PeterNeumann+c74f20a3',
      'x+00000000+AAAA',
      '',
      'a b+1+2',
    ]) {
      assert.throws(() => parseVkey(bad), { code: 'BAD_INPUT' }, bad);
    }
  });

  test('a cosigner signs the time with the text, and its vkey is of type 4', () => {
    const cosigner = signerOf('witness.example.com/w1', 'cosignature', Buffer.alloc(32, 9));
    const text = headText({ origin: 'example.com/log', size: 3, root: Buffer.alloc(32, 5) });
    const line = cosigner.sign(text, 1_679_315_147_900);
    const opened = openNote(`${text}\n${line}`, [parseVkey(cosigner.verifier.vkey)]);
    assert.equal(opened.signatures[0]!.atMs, 1_679_315_147_000);
    assert.equal(Buffer.from(cosigner.verifier.vkey.split('+').slice(2).join('+'), 'base64')[0], 4);
    // Another time is another statement.
    const bytes = Buffer.from(line.trim().split(' ')[2]!, 'base64');
    bytes[11]! ^= 1;
    const moved = `— witness.example.com/w1 ${bytes.toString('base64')}\n`;
    assert.throws(() => openNote(`${text}\n${moved}`, [cosigner.verifier]), invalid);
  });
});

describe('a checkpoint', () => {
  const log = signerOf('example.com/log', 'signature', Buffer.alloc(32, 7));
  const note = (text: string) => `${text}\n${log.sign(text)}`;
  const root = Buffer.alloc(32, 5).toString('base64');

  test('tells origin, size and root, and extension lines are passed over', () => {
    const head = { origin: 'example.com/log', size: 12, root: Buffer.alloc(32, 5) };
    const { note: kept, cosignatures, ...read } = openCheckpoint(note(headText(head)), [log.verifier]);
    assert.deepEqual([read, cosignatures, kept.length > 0], [head, [], true]);
    assert.deepEqual(parseHead(`${headText(head)}extension\n`), head);
  });

  test('that is signed and says nothing sensible is refused', () => {
    for (const text of [
      `example.com/log\n012\n${root}\n`,
      `example.com/log\n-1\n${root}\n`,
      `example.com/log\n12\n${root.slice(4)}\n`,
      `example.com/log\n12\n`,
      `\n12\n${root}\n`,
      `example.com/other\n12\n${root}\n`,
      `example.com/log\n12\n${root}\n\nmore\n`,
    ]) {
      assert.throws(() => openCheckpoint(note(text), [log.verifier]), invalid, text);
    }
  });
});
