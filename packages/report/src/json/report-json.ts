import type { ReportModel } from '../model.ts';

/** `report.json` (contract: docs/reports.md). Fields may be added, none renamed. */
export function renderJson(model: ReportModel): string {
  const { run, boot, totals } = model;
  const document = {
    run: {
      id: run.id,
      seed: run.seed,
      startedAt: run.startedAt,
      durationMs: run.durationMs,
      node: run.node,
      cores: run.cores,
      commit: run.commit,
      dirty: run.dirty,
      command: run.command,
      runnerLagMsMax: run.runnerLagMsMax,
      supervisorLagMsMax: run.supervisorLagMsMax,
      version: run.version,
      kernels: run.kernels,
      scenarios: run.scenarios,
      safeguardsOff: run.safeguardsOff,
      enforcement: run.enforcement,
      interrupted: run.interrupted,
      cleanup: run.cleanup,
      records: run.records,
    },
    overall: model.overall,
    boot: {
      ready: boot.ready,
      total: boot.total,
      ms: boot.ms,
      kernels: boot.kernels.map(({ id, readyMs, cell, probe, error, evidence }) => ({
        id,
        readyMs,
        cell,
        probe,
        error,
        evidence,
      })),
    },
    systems: model.systems.map(({ id, started, counts, title, owner, why, evidence }) => ({
      id,
      started,
      counts,
      title,
      owner,
      why,
      evidence,
    })),
    autofix:
      model.autofix === null
        ? null
        : { errors: model.autofix.incidents, scan: null, started: model.autofix.started, tasks: model.autofix.tasks },
    waves: model.waves,
    totals,
    exit: model.exit,
    issues: model.issues,
    working: model.working,
    findings: model.findings,
    untested: model.untested,
    nextSteps: model.nextSteps,
    conclusion: model.conclusion,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
