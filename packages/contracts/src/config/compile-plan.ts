import { dirname, isAbsolute, join } from 'node:path';
import type { AclDocument } from '../envelope.ts';
import { GraceError } from '../errors.ts';
import { completeManifest, type KernelManifest } from '../manifest.ts';
import { didYouMean } from '../nearest.ts';
import { SETTINGS_DEFAULTS, type SystemPlan, type SystemSettings } from '../plan.ts';
import type { GraceConfig, KernelEntry } from './grace-config.ts';
import { checkNeeds, withNeeds } from './needs.ts';

export interface PlanSources {
  /** The built-in kernels. */
  catalogue: readonly KernelManifest[];
  config: GraceConfig;
  acl: AclDocument;
  /** Absolute. */
  home: string;
  entries: SystemPlan['entries'];
  version: string;
  armed: boolean;
  /** Memory of the machine, or of what this process may have of it, bytes. */
  memoryBytes: number;
  /** Absolute paths of playbook files. */
  playbooks: readonly string[];
  /** Settings that the composition root knows and kernels need, by kernel; what grace.yaml says about them wins. */
  provided?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Only these kernels, and what they need. */
  only?: readonly string[];
}

/** Where a user's kernel lives when grace.yaml does not say: apart from the built-in ones, so that it can end only its own kind. */
const USER_CELL = 'user';

/**
 * Brings catalogue and configuration together into what the supervisor reads. Pure: reads no file, and the same sources give the same plan.
 * @throws GraceError `CONFIG_INVALID`, `NEEDS_UNKNOWN`, `NEEDS_CYCLE`, `USAGE` (a name in `only`)
 */
export function compilePlan(sources: PlanSources): SystemPlan {
  const { catalogue, config, acl } = sources;
  checkCatalogue(catalogue);
  const entries = Object.entries(config.kernels);
  const builtin = new Map(catalogue.map((manifest) => [manifest.id, manifest]));
  const off = new Map(
    entries.filter(([, { enabled }]) => !enabled).map(([id]) => [id, config.at(['kernels', id, 'enabled'])]),
  );
  const merged = [
    ...catalogue.map((manifest) => override(manifest, config.kernels[manifest.id]?.manifest ?? {}, config)),
    ...entries.filter(([id]) => !builtin.has(id)).map(([id, entry]) => create(id, entry, builtin, config)),
  ].filter(({ id }) => !off.has(id));
  const settings = { ...settingsFor(sources.memoryBytes), ...config.settings };
  for (const manifest of merged) checkTimes(manifest, config);
  checkMemory(config, settings.cellMemoryBytes, sources.memoryBytes);
  const at = (id: string): string => (config.kernels[id] ? `${config.at(['kernels', id])}: ` : '');
  checkNeeds(merged, off, at);
  const kernels = select(merged, sources.only, off).map((manifest) => ({
    ...manifest,
    config: { ...sources.provided?.[manifest.id], ...manifest.config },
  }));
  if (kernels.length === 0) throw new GraceError('CONFIG_INVALID', `${config.file}: no kernel is left to run`);

  const granted = entries.flatMap(([id, { grants }]) => (grants ? [[id, grants] as const] : []));
  return {
    format: 1,
    version: sources.version,
    home: sources.home,
    armed: sources.armed,
    kernels,
    acl: { kernels: acl.kernels, principals: { ...acl.principals, ...Object.fromEntries(granted) } },
    safeguards: { heartbeatDetector: true, mute: true, restartEngine: true, ...config.safeguards },
    settings,
    configFile: config.file,
    entries: sources.entries,
    playbooks: [...sources.playbooks],
  };
}

function checkCatalogue(catalogue: readonly KernelManifest[]): void {
  const ids = catalogue.map(({ id }) => id);
  const twice = ids.find((id, i) => ids.indexOf(id) !== i);
  if (twice !== undefined) throw new GraceError('CONFIG_INVALID', `the catalogue lists the kernel "${twice}" twice`);
}

function override(base: KernelManifest, change: KernelEntry['manifest'], config: GraceConfig): KernelManifest {
  return {
    ...base,
    ...change,
    // Whoever brings another module brings a kernel that is not the product's.
    ...(change.module === undefined ? {} : { module: besideConfig(config, change.module), builtin: false }),
    limits: { ...base.limits, ...change.limits },
    probe: { ...base.probe, ...change.probe },
    restart: { ...base.restart, ...change.restart },
    config: { ...base.config, ...change.config },
  };
}

function create(
  id: string,
  { manifest }: KernelEntry,
  builtin: ReadonlyMap<string, KernelManifest>,
  config: GraceConfig,
): KernelManifest {
  const { module, limits, probe, restart, ...rest } = manifest;
  if (module === undefined) {
    throw new GraceError(
      'CONFIG_INVALID',
      `${config.at(['kernels', id])}: kernels.${id}: "${id}" is no built-in kernel${didYouMean(id, builtin.keys())}; a kernel of your own needs a \`module\``,
    );
  }
  const base = completeManifest(
    { id, title: id, cell: USER_CELL, ...rest },
    { module: besideConfig(config, module), builtin: false },
  );
  return {
    ...base,
    limits: { ...base.limits, ...limits },
    probe: { ...base.probe, ...probe },
    restart: { ...base.restart, ...restart },
  };
}

function besideConfig(config: GraceConfig, path: string): string {
  return isAbsolute(path) ? path : join(dirname(config.file), path);
}

/** A kernel must have a chance to be on time before it is late, and late before it is hung. */
function checkTimes({ id, heartbeatMs, lateAfterMs, hungAfterMs, restart }: KernelManifest, config: GraceConfig): void {
  const refuse = (key: string, expected: string, got: number): never => {
    throw new GraceError(
      'CONFIG_INVALID',
      `${config.at(['kernels', id, ...key.split('.')])}: kernels.${id}.${key}: expected ${expected}, got ${got} ms`,
    );
  };
  if (lateAfterMs <= heartbeatMs) refuse('late_after', `more than the heartbeat of ${heartbeatMs} ms`, lateAfterMs);
  if (hungAfterMs < lateAfterMs) refuse('hung_after', `at least late_after, ${lateAfterMs} ms`, hungAfterMs);
  if (restart.backoffMaxMs < restart.backoffMs) {
    refuse('restart.backoff_max', `at least restart.backoff, ${restart.backoffMs} ms`, restart.backoffMaxMs);
  }
}

/** A host process cannot be promised more memory than there is. */
function settingsFor(memoryBytes: number): SystemSettings {
  return { ...SETTINGS_DEFAULTS, cellMemoryBytes: Math.min(SETTINGS_DEFAULTS.cellMemoryBytes, memoryBytes) };
}

/** A limit that can never be reached, because the machine or the cell ends first, protects nobody. */
function checkMemory(config: GraceConfig, cellBytes: number, machineBytes: number): void {
  const check = (path: string[], bytes: number | undefined, most: number, whose: string): void => {
    if (bytes === undefined || bytes <= most) return;
    throw new GraceError(
      'CONFIG_INVALID',
      `${config.at(path)}: ${path.join('.')}: expected at most ${whose}, ${megabytes(most)}, got ${megabytes(bytes)}`,
    );
  };
  const machine = 'the memory of this machine';
  check(['settings', 'cell_memory'], config.settings.cellMemoryBytes, machineBytes, machine);
  for (const [id, { manifest }] of Object.entries(config.kernels)) {
    for (const [key, bytes] of [
      ['heap', manifest.limits?.heapBytes],
      ['off_heap', manifest.limits?.externalBytes],
    ] as const) {
      const path = ['kernels', id, 'limits', key];
      check(path, bytes, machineBytes, machine);
      check(path, bytes, cellBytes, 'settings.cell_memory, what a whole host process may have');
    }
  }
}

function megabytes(bytes: number): string {
  return `${Math.round((bytes / 1024 ** 2) * 10) / 10}MiB`;
}

function select(
  kernels: KernelManifest[],
  only: readonly string[] | undefined,
  off: ReadonlyMap<string, string>,
): KernelManifest[] {
  if (only === undefined) return kernels;
  const ids = kernels.map(({ id }) => id);
  for (const id of only) {
    if (ids.includes(id)) continue;
    const where = off.get(id);
    throw new GraceError(
      'USAGE',
      where === undefined
        ? `--only names "${id}", which is no kernel${didYouMean(id, ids)}; kernels: ${ids.join(', ')}`
        : `--only names "${id}", which is switched off (${where})`,
    );
  }
  const kept = withNeeds(kernels, only);
  return kernels.filter(({ id }) => kept.has(id));
}
