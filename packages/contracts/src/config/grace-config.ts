import { z } from 'zod';
import type { AclRules } from '../envelope.ts';
import type { Safeguards } from '../events.ts';
import { CRITICALITIES, RESTART_CLASSES } from '../lifecycle.ts';
import { type KernelManifest, SUPERVISOR_COMMANDS } from '../manifest.ts';
import type { SystemSettings } from '../plan.ts';
import { aclRules } from './acl.ts';
import type { Path } from './locate.ts';
import { readDocument } from './read-yaml.ts';
import { duration, kernelId, memory, period, shareOrOff, size } from './values.ts';

/** A checked grace.yaml. What is not written there is not here: the plan fills it in. */
export interface GraceConfig {
  /** As given by the reader of the file; paths inside it are relative to its folder. */
  file: string;
  /** `file:line:col` of a value, for messages. */
  at(path: Path): string;
  settings: Partial<SystemSettings>;
  safeguards: Partial<Safeguards>;
  kernels: Record<string, KernelEntry>;
  /** A file of access rules instead of the built-in one. */
  acl?: string;
  /** Folders of playbooks and scenarios beside the built-in ones. */
  playbooks?: string;
  scenarios?: string;
}

/** What grace.yaml says about one kernel: an override of a built-in one, or a new one, which must name its `module`. */
export interface KernelEntry {
  enabled: boolean;
  grants?: AclRules;
  manifest: Partial<Omit<KernelManifest, 'id' | 'builtin' | 'limits' | 'probe' | 'restart'>> & {
    limits?: Partial<KernelManifest['limits']>;
    probe?: Partial<KernelManifest['probe']>;
    restart?: Partial<KernelManifest['restart']>;
  };
}

const count = z.int().min(1);

const settings = z.strictObject({
  watch: period.optional(),
  sample: period.optional(),
  log_level: z.enum(['trace', 'debug', 'info', 'warn', 'error']).optional(),
  log_max: size.optional(),
  log_files: count.optional(),
  orphan: period.optional(),
  cell_memory: memory('128MiB').optional(),
  overload_after: period.optional(),
  overload_cpu: shareOrOff.optional(),
  solitary: period.optional(),
  boot_deadline: period.optional(),
  mute_threshold: count.optional(),
  mute_window: period.optional(),
  mute_period: period.optional(),
  mute_period_max: period.optional(),
  max_payload: size.optional(),
});

const kernel = z.strictObject({
  module: z.string().min(1).optional(),
  title: z.string().min(1).max(200).optional(),
  cell: z
    .string()
    .max(64)
    .regex(/^[a-z][a-z0-9_-]*$/, 'expected the name of a cell like core, work or my_cell')
    .optional(),
  needs: z.array(kernelId).optional(),
  criticality: z.enum(CRITICALITIES).optional(),
  limits: z
    .strictObject({
      cpu: shareOrOff.optional(),
      heap: memory('16MiB').optional(),
      off_heap: memory('1MiB').optional(),
      messages_per_second: count.optional(),
    })
    .optional(),
  heartbeat: period.optional(),
  late_after: period.optional(),
  hung_after: period.optional(),
  probe: z.strictObject({ interval: period.optional(), deadline: period.optional() }).optional(),
  start_deadline: period.optional(),
  drain_deadline: period.optional(),
  restart: z
    .strictObject({
      class: z.enum(RESTART_CLASSES).optional(),
      budget: z.int().min(0).optional(),
      window: period.optional(),
      backoff: duration.optional(),
      backoff_max: duration.optional(),
      reset_after: period.optional(),
    })
    .optional(),
  commands: z.array(z.enum(SUPERVISOR_COMMANDS)).optional(),
  config: z.record(z.string(), z.unknown()).optional(),
  enabled: z.boolean().default(true),
  grants: aclRules.optional(),
});

const graceConfig = z.strictObject({
  settings: settings.default({}),
  safeguards: z
    .strictObject({
      heartbeat_detector: z.boolean().optional(),
      mute: z.boolean().optional(),
      restart_engine: z.boolean().optional(),
    })
    .default({}),
  kernels: z.record(kernelId, kernel).default({}),
  acl: z.string().min(1).optional(),
  playbooks: z.string().min(1).optional(),
  scenarios: z.string().min(1).optional(),
});

/**
 * grace.yaml, checked.
 * @throws GraceError `CONFIG_INVALID` with every problem
 */
export function parseGraceConfig(text: string, file: string): GraceConfig {
  const { value, at } = readDocument(text, file, graceConfig);
  const { settings: s, safeguards: g } = value;
  return {
    file,
    at,
    settings: given<SystemSettings>({
      watchMs: s.watch,
      sampleMs: s.sample,
      logLevel: s.log_level,
      logMaxBytes: s.log_max,
      logFiles: s.log_files,
      orphanMs: s.orphan,
      cellMemoryBytes: s.cell_memory,
      overloadAfterMs: s.overload_after,
      overloadCpu: s.overload_cpu,
      solitaryMs: s.solitary,
      bootDeadlineMs: s.boot_deadline,
      muteThreshold: s.mute_threshold,
      muteWindowMs: s.mute_window,
      mutePeriodMs: s.mute_period,
      mutePeriodMaxMs: s.mute_period_max,
      maxPayloadBytes: s.max_payload,
    }),
    safeguards: given<Safeguards>({
      heartbeatDetector: g.heartbeat_detector,
      mute: g.mute,
      restartEngine: g.restart_engine,
    }),
    kernels: Object.fromEntries(Object.entries(value.kernels).map(([id, entry]) => [id, toEntry(entry)])),
    ...given({ acl: value.acl, playbooks: value.playbooks, scenarios: value.scenarios }),
  };
}

function toEntry(k: z.output<typeof kernel>): KernelEntry {
  return {
    enabled: k.enabled,
    ...given({ grants: k.grants }),
    manifest: given<KernelEntry['manifest'] & object>({
      module: k.module,
      title: k.title,
      cell: k.cell,
      needs: k.needs,
      criticality: k.criticality,
      limits:
        k.limits &&
        given({
          cpu: k.limits.cpu,
          heapBytes: k.limits.heap,
          externalBytes: k.limits.off_heap,
          messagesPerSecond: k.limits.messages_per_second,
        }),
      heartbeatMs: k.heartbeat,
      lateAfterMs: k.late_after,
      hungAfterMs: k.hung_after,
      probe: k.probe && given({ intervalMs: k.probe.interval, deadlineMs: k.probe.deadline }),
      startDeadlineMs: k.start_deadline,
      drainDeadlineMs: k.drain_deadline,
      restart:
        k.restart &&
        given({
          class: k.restart.class,
          budget: k.restart.budget,
          windowMs: k.restart.window,
          backoffMs: k.restart.backoff,
          backoffMaxMs: k.restart.backoff_max,
          resetAfterMs: k.restart.reset_after,
        }),
      commands: k.commands,
      config: k.config,
    }),
  };
}

/** Without the names whose value is undefined. */
function given<T extends object>(values: { [K in keyof T]?: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}
