import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { EMPTY_ROOT, leafHash, nodeHash, rootOf } from './merkle.ts';
import { consistencyProof, inclusionProof, rootAt, verifyConsistency, verifyInclusion } from './proofs.ts';

/** The definition of RFC 6962, section 2.1, word for word. */
function treeHash(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return EMPTY_ROOT;
  if (leaves.length === 1) return leaves[0]!;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return nodeHash(treeHash(leaves.slice(0, k)), treeHash(leaves.slice(k)));
}

const LEAVES = Array.from({ length: 600 }, (_, i) => leafHash(Buffer.from(`entry ${i}`)));
const subtree = (level: number, index: number) => treeHash(LEAVES.slice(index * 2 ** level, (index + 1) * 2 ** level));
const roots = LEAVES.map((_, i) => treeHash(LEAVES.slice(0, i)));

const sizeAndIndex = fc.integer({ min: 1, max: 599 }).chain((size) => fc.tuple(fc.constant(size), fc.nat(size - 1)));
const twoSizes = fc
  .integer({ min: 1, max: 599 })
  .chain((to) => fc.tuple(fc.integer({ min: 1, max: to }), fc.constant(to)));

function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[(bit >> 3) % copy.length]! ^= 1 << (bit & 7);
  return copy;
}

describe('the tree and its proofs', () => {
  // The inputs and results of Certificate Transparency's own tests (RFC 6962 reference implementation, RFC 9162 test data).
  test('gives the roots of the published vectors', () => {
    const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
    const expected = [
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
      'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
      '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
      'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    ];
    const hashes = inputs.map((input) => leafHash(Buffer.from(input, 'hex')));
    for (const [i, root] of expected.entries()) {
      assert.equal(rootOf(Buffer.concat(hashes.slice(0, i + 1))).toString('hex'), root);
    }
    assert.equal(EMPTY_ROOT.toString('hex'), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  test('folding neighbours gives the tree of the definition, at every size', async () => {
    for (const size of [1, 2, 3, 5, 7, 8, 9, 100, 255, 256, 257, 511, 599]) {
      assert.deepEqual(rootOf(Buffer.concat(LEAVES.slice(0, size))), roots[size]);
      assert.deepEqual(await rootAt(size, subtree), roots[size]);
    }
  });

  test('a proof of every index and size verifies, and no proof of another leaf does', async () => {
    for (let size = 1; size <= 70; size++) {
      for (let index = 0; index < size; index++) {
        const proof = await inclusionProof(index, size, subtree);
        assert.ok(verifyInclusion(index, size, LEAVES[index]!, proof, roots[size]!), `${index} of ${size}`);
        const other = (index + 1) % size;
        if (size > 1)
          assert.ok(!verifyInclusion(other, size, LEAVES[index]!, proof, roots[size]!), `${other} of ${size}`);
      }
    }
  });

  test('a consistency proof of every two sizes verifies', async () => {
    for (let to = 1; to <= 70; to++) {
      for (let from = 1; from <= to; from++) {
        const proof = await consistencyProof(from, to, subtree);
        assert.ok(verifyConsistency(from, to, roots[from]!, roots[to]!, proof), `${from} to ${to}`);
        if (from < to) assert.ok(!verifyConsistency(from, to, roots[from - 1]!, roots[to]!, proof));
      }
    }
    assert.ok(verifyConsistency(0, 9, EMPTY_ROOT, roots[9]!, []));
    assert.ok(!verifyConsistency(0, 9, roots[1]!, roots[9]!, []));
    assert.ok(!verifyConsistency(0, 0, EMPTY_ROOT, roots[9]!, []));
  });

  test('every single bit of leaf, root and proof of inclusion counts', async () => {
    await fc.assert(
      fc.asyncProperty(sizeAndIndex, fc.nat(), fc.nat(255), async ([size, index], which, bit) => {
        const leaf = LEAVES[index]!;
        const root = roots[size]!;
        const proof = await inclusionProof(index, size, subtree);
        assert.ok(verifyInclusion(index, size, leaf, proof, root));
        assert.ok(!verifyInclusion(index, size, flipped(leaf, bit), proof, root));
        assert.ok(!verifyInclusion(index, size, leaf, proof, flipped(root, bit)));
        assert.ok(!verifyInclusion(index, size, leaf, [...proof, leaf], root));
        assert.ok(!verifyInclusion(size, size, leaf, proof, root));
        if (proof.length === 0) return;
        const at = which % proof.length;
        assert.ok(!verifyInclusion(index, size, leaf, proof.with(at, flipped(proof[at]!, bit)), root));
        assert.ok(!verifyInclusion(index, size, leaf, proof.toSpliced(at, 1), root));
      }),
      { numRuns: 150 },
    );
  });

  test('every single bit of both roots and of a proof of consistency counts', async () => {
    await fc.assert(
      fc.asyncProperty(twoSizes, fc.nat(), fc.nat(255), async ([from, to], which, bit) => {
        const proof = await consistencyProof(from, to, subtree);
        assert.ok(verifyConsistency(from, to, roots[from]!, roots[to]!, proof));
        assert.ok(!verifyConsistency(from, to, flipped(roots[from]!, bit), roots[to]!, proof));
        assert.ok(!verifyConsistency(from, to, roots[from]!, flipped(roots[to]!, bit), proof));
        assert.ok(!verifyConsistency(from, to, roots[from]!, roots[to]!, [...proof, roots[to]!]));
        assert.ok(!verifyConsistency(to + 1, to, roots[from]!, roots[to]!, proof));
        if (proof.length === 0) return;
        const at = which % proof.length;
        assert.ok(!verifyConsistency(from, to, roots[from]!, roots[to]!, proof.with(at, flipped(proof[at]!, bit))));
        assert.ok(!verifyConsistency(from, to, roots[from]!, roots[to]!, proof.toSpliced(at, 1)));
      }),
      { numRuns: 150 },
    );
  });

  test('what no tree holds cannot be proved', async () => {
    await assert.rejects(inclusionProof(5, 5, subtree), RangeError);
    await assert.rejects(consistencyProof(6, 5, subtree), RangeError);
  });
});
