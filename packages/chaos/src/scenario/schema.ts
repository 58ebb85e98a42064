import { ACTOR_FAULTS, CELL_FAULTS, DETECTORS, THREAD_FAULTS } from '@grace/contracts';
import { duration, kernelId, period } from '@grace/contracts/config';
import { z } from 'zod';
import { SEVERITIES } from './scenario.ts';

const METHODS = ['probe', 'heartbeat', 'workload', 'metric'] as const;

const verbCall = z.strictObject({ verb: z.string().min(1), input: z.unknown().optional() });

const target = z.union([
  z.strictObject({ kernel: kernelId }),
  z.strictObject({ cell_of: kernelId }),
  z.strictObject({ principal: kernelId }),
  z.strictObject({ machine: z.literal(true) }),
]);

const expectation = z.strictObject({
  detected_by: z.array(z.enum(DETECTORS)).default([]),
  detect_within: period,
  recover_within: period,
  may_restart: z.array(kernelId).default([]),
  target_restarts: z.number().int().min(0).nullable().default(null),
  latency_factor: z.number().min(1).default(3),
  latency_slack: duration.default(400),
  recovered_by: z
    .array(z.enum(METHODS))
    .refine((methods) => new Set(methods).size >= 2, 'expected at least two different methods'),
  playbook: z.string().min(1).nullable().default(null),
});

const check = z.union([
  z.string().min(1),
  z
    .record(z.string().min(1), z.union([z.string(), z.number()]))
    .refine((entry) => Object.keys(entry).length === 1, 'expected one check, like incident_opened: heartbeat_gap'),
]);

const variant = z.strictObject({
  id: kernelId,
  does: z.string().min(1),
  fault: z.enum([...THREAD_FAULTS, ...CELL_FAULTS, ...ACTOR_FAULTS]),
  target,
  params: z.record(z.string(), z.unknown()).default({}),
  duration: period,
  whole_cell: z.boolean().optional(),
  observe: z.array(kernelId).default([]),
  conflicts: z.array(z.string().min(1)).default([]),
  expect: expectation,
  checks: z.array(check).default([]),
  marker: z
    .strictObject({ kernel: kernelId, write: verbCall, read: verbCall, remove: verbCall.nullable().default(null) })
    .nullable()
    .default(null),
});

/** The shape of `configs/scenarios/*.yaml`. */
export const scenarioSchema = z.strictObject({
  id: z.string().regex(/^S\d{2}_[a-z0-9_]+$/, 'expected an id like S01_heartbeat_pause'),
  title: z.string().min(1),
  severity: z.enum(SEVERITIES),
  wave: z.number().int().min(1).max(99),
  proves: z.string().min(1),
  objective: z.string().min(1),
  needs: z.array(kernelId).default([]),
  conflicts: z.array(z.string().min(1)).default([]),
  variants: z.array(variant).min(1),
});

export type ScenarioSource = z.output<typeof scenarioSchema>;
export type VariantSource = ScenarioSource['variants'][number];
