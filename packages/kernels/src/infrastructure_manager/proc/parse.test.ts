import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  parseCgroup,
  parseCpuMax,
  parseCpuQuota,
  parseMeminfo,
  parseMemoryLimit,
  parseOpenFilesLimit,
  parsePressure,
  parseRss,
  parseSchedstat,
  parseStat,
} from './parse.ts';

const stat = (name: string): string =>
  `4711 (${name}) R 4700 4711 4700 34816 4711 4194304 5083 0 2 0 250 50 0 0 20 0 11 0 987654 1200000000 12000 18446744073709551615 1 1 0 0 0 0 0 4096 134234626 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n`;

describe('files of /proc', () => {
  test('stat is read with CPU time in milliseconds', () => {
    const expected = { id: 4711, name: 'node', state: 'R', cpuMs: 3000, threads: 11, startTicks: 987654 };
    assert.deepEqual(parseStat(stat('node')), expected);
  });

  test('a name with spaces and parentheses does not shift the fields', () => {
    for (const name of ['a b', ') R 1 2 (', '((', 'x) S 9']) assert.equal(parseStat(stat(name))?.cpuMs, 3000, name);
    assert.equal(parseStat(stat(') R 1 2 ('))?.name, ') R 1 2 (');
  });

  test('schedstat is in nanoseconds, meminfo and status in kilobytes, pressure in percent', () => {
    assert.deepEqual(parseSchedstat('2500000000 1500000 42\n'), { cpuMs: 2500, runDelayMs: 1.5 });
    const meminfo = 'MemTotal:       16384000 kB\nMemFree:         1000000 kB\nMemAvailable:    8192000 kB\n';
    assert.deepEqual(parseMeminfo(meminfo), { totalBytes: 16384000 * 1024, availableBytes: 8192000 * 1024 });
    assert.equal(parseRss('VmPeak:\t  9 kB\nVmRSS:\t   51200 kB\n'), 52_428_800);
    const pressure =
      'some avg10=12.50 avg60=1.74 avg300=0.65 total=13675987\nfull avg10=0.25 avg60=0.00 avg300=0.00 total=0\n';
    assert.deepEqual(parsePressure(pressure), { some: 0.125, full: 0.0025 });
    assert.deepEqual(parsePressure('some avg10=1.00 avg60=0.00 avg300=0.00 total=1\n'), { some: 0.01, full: 0 });
  });

  test('limits of control groups: both versions, limited and not', () => {
    assert.equal(parseCpuMax('max 100000\n'), null);
    assert.equal(parseCpuMax('150000 100000\n'), 1.5);
    assert.equal(parseCpuQuota('-1\n', '100000\n'), null);
    assert.equal(parseCpuQuota('50000\n', '100000\n'), 0.5);
    assert.equal(parseMemoryLimit('max\n'), null);
    assert.equal(parseMemoryLimit('9223372036854771712\n'), null);
    assert.equal(parseMemoryLimit('536870912\n'), 536870912);
  });

  test('the groups of a process are told apart by version', () => {
    const mixed = parseCgroup('5:devices:/\n4:cpu,cpuacct:/a\n3:memory:/a/b:c\n0::/unified\n');
    assert.deepEqual(mixed, {
      unified: '/unified',
      controllers: { devices: '/', cpu: '/a', cpuacct: '/a', memory: '/a/b:c' },
    });
    assert.deepEqual(parseCgroup('0::/x.slice\n'), { unified: '/x.slice', controllers: {} });
  });

  test('the limit of open files may be unlimited', () => {
    const limits = (value: string): string =>
      `Limit                     Soft Limit           Hard Limit           Units     \nMax open files            ${value}                 4096                 files     \n`;
    assert.equal(parseOpenFilesLimit(limits('1024')), 1024);
    assert.equal(parseOpenFilesLimit(limits('unlimited')), Infinity);
  });

  test('no text makes a parser throw or answer with a number that is none', () => {
    const parsers = [
      parseStat,
      parseSchedstat,
      parseMeminfo,
      parseRss,
      parsePressure,
      parseOpenFilesLimit,
      parseCgroup,
      parseCpuMax,
      parseMemoryLimit,
    ];
    const mangled = fc
      .tuple(
        fc.constantFrom(stat('node'), '1 2 3\n', 'MemTotal: 1 kB\n', 'some avg10=1.0 ', 'max 100000'),
        fc.nat(300),
        fc.string(),
      )
      .map(([text, cut, rest]) => text.slice(0, cut) + rest);
    fc.assert(
      fc.property(fc.oneof(fc.string(), mangled), (text) => {
        for (const parse of parsers) {
          const shown = JSON.stringify(parse(text), (_, value: unknown) =>
            Number.isNaN(value) ? 'not a number' : value,
          );
          assert.ok(!shown?.includes('not a number'), `${parse.name}: ${shown}`);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
