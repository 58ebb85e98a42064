import { readdir, readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { basename, dirname, extname, isAbsolute, join, resolve } from 'node:path';
import { GraceError, type SystemPlan } from '@grace/contracts';
import { compilePlan, type GraceConfig, parseGraceConfig } from '@grace/contracts/config';
import { catalogue, policyVersion, readPolicyFiles } from '@grace/kernels';
import type { Session } from '../session.ts';
import { type Checked, parseChecked } from './checked.ts';

/** The configuration in force and where its files are, absolute. */
export interface LoadedConfig {
  config: GraceConfig;
  /** Scenario files by name of the file without its ending; a user's replaces a built-in one of the same name. */
  scenarios: string[];
  playbooks: string[];
}

/**
 * grace.yaml over the built-in `configs/`.
 * @throws GraceError `CONFIG_UNREADABLE`, `CONFIG_INVALID`
 */
export async function loadConfig(session: Pick<Session, 'config' | 'cwd' | 'root'>): Promise<LoadedConfig> {
  const config = await readGraceConfig(session);
  const folder = dirname(config.file);
  const beside = (path: string | undefined): string | undefined => path && resolve(folder, path);
  const [scenarios, playbooks] = await Promise.all([
    layered(join(session.root, 'configs/scenarios'), beside(config.scenarios)),
    layered(join(session.root, 'configs/playbooks'), beside(config.playbooks)),
  ]);
  return { config, scenarios, playbooks };
}

/** Everything the supervisor needs, compiled. */
export async function loadPlan(
  session: Session,
  options: { armed: boolean; only?: string[]; home?: string; safeguards?: GraceConfig['safeguards'] },
): Promise<SystemPlan> {
  const { config, playbooks } = await loadConfig(session);
  const triggers = join(session.root, 'configs/triggers.yaml');
  const invariants = join(session.root, 'configs/invariants.yaml');
  const policies = policyFolders(session, config);
  const plans = await layered(join(session.root, 'configs/plans'), ownPlans(config));
  const aclFile = config.acl ? resolve(dirname(config.file), config.acl) : join(session.root, 'configs/acl.yaml');
  const kernels = catalogue(session.dist);
  const kernelIds = [...kernels.map(({ id }) => id), ...Object.keys(config.kernels)];
  const checked = JSON.parse(await read(join(session.dist, 'configs.json'))) as Checked;
  const parsed = async <K extends Parameters<typeof parseChecked>[1]>(kind: K, file: string) =>
    parseChecked(checked, kind, await read(file), shown(file, session.cwd), kernelIds);
  const plan = compilePlan({
    catalogue: kernels,
    config: { ...config, safeguards: { ...config.safeguards, ...options.safeguards } },
    acl: await parsed('acl', aclFile),
    home: options.home ?? session.home,
    entries: {
      guardian: join(session.dist, 'guardian.cjs'),
      supervisor: join(session.dist, 'supervisor.cjs'),
      cell: join(session.dist, 'cell.cjs'),
      thread: join(session.dist, 'thread.js'),
    },
    version: session.version,
    armed: options.armed,
    memoryBytes: Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY),
    playbooks,
    provided: {
      // Checked here, so that no kernel thread pays for a validator at its start.
      self_healing: {
        playbooks: await Promise.all(playbooks.map((file) => parsed('playbook', file))),
      },
      governance: { folders: policies, ...(await checkedPolicies(session, policies)) },
      verification_framework: { invariants: await parsed('invariants', invariants) },
      trigger_mesh: { triggers: await parsed('triggers', triggers) },
      agentic_spine: {
        library: await Promise.all(plans.map((file) => parsed('plan', file))),
      },
      infrastructure_manager: { configs: [join(session.root, 'configs'), config.file] },
      api_server: { reports: [resolve(session.cwd, 'stress-reports')] },
    },
    ...(options.only && { only: options.only }),
  });
  const ids = plan.kernels.map(({ id }) => id);
  return {
    ...plan,
    kernels: plan.kernels.map((kernel) =>
      kernel.id === 'health_monitor' || kernel.id === 'voice_conversation'
        ? { ...kernel, config: { kernels: ids, ...kernel.config } }
        : kernel,
    ),
  };
}

/** What stands in the folders, where it is what the build has checked: then nobody needs to check it again. */
async function checkedPolicies(session: Session, folders: readonly string[]): Promise<{ set?: unknown }> {
  const built = JSON.parse(await read(join(session.dist, 'policies.json'))) as { version: string };
  return built.version === policyVersion(await readPolicyFiles(folders)) ? { set: built } : {};
}

/** The built-in policies, and those of `kernels.governance.config.policies`, beside grace.yaml. */
export function policyFolders(session: Pick<Session, 'root'>, config: GraceConfig): string[] {
  const own = config.kernels['governance']?.manifest.config?.['policies'];
  const builtin = join(session.root, 'configs/policies');
  if (own === undefined) return [builtin];
  if (typeof own === 'string' && own !== '') return [builtin, resolve(dirname(config.file), own)];
  const place = config.at(['kernels', 'governance', 'config', 'policies']);
  throw new GraceError(
    'CONFIG_INVALID',
    `${place}: kernels.governance.config.policies: expected a folder, got ${JSON.stringify(own)}`,
  );
}

/** The folder of `kernels.agentic_spine.config.plans`, beside grace.yaml: a plan there takes the place of a built-in one in a file of its name. */
function ownPlans(config: GraceConfig): string | undefined {
  const own = config.kernels['agentic_spine']?.manifest.config?.['plans'];
  if (own === undefined) return undefined;
  if (typeof own === 'string' && own !== '') return resolve(dirname(config.file), own);
  const place = config.at(['kernels', 'agentic_spine', 'config', 'plans']);
  throw new GraceError(
    'CONFIG_INVALID',
    `${place}: kernels.agentic_spine.config.plans: expected a folder, got ${JSON.stringify(own)}`,
  );
}

async function readGraceConfig({ config, cwd }: Pick<Session, 'config' | 'cwd'>): Promise<GraceConfig> {
  const file = resolve(cwd, config ?? 'grace.yaml');
  try {
    return { ...parseGraceConfig(await readFile(file, 'utf8'), shown(file, cwd)), file };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && config === undefined) return parseGraceConfig('', file);
    throw unreadable(error, file);
  }
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw unreadable(error, file);
  }
}

async function layered(builtin: string, own: string | undefined): Promise<string[]> {
  const files = new Map<string, string>();
  for (const folder of [builtin, own]) {
    if (folder === undefined) continue;
    for (const file of await yamlFiles(folder, folder === own)) files.set(basename(file, extname(file)), file);
  }
  return [...files.values()].sort();
}

async function yamlFiles(folder: string, mustExist: boolean): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names.filter((name) => /\.ya?ml$/.test(name)).map((name) => join(folder, name));
  } catch (error) {
    if (!mustExist && (error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw unreadable(error, folder);
  }
}

function unreadable(error: unknown, file: string): unknown {
  if (error instanceof GraceError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new GraceError(
    'CONFIG_UNREADABLE',
    `cannot read ${file}: ${message}`,
    { file, errno: code },
    { cause: error },
  );
}

/** The file as messages name it: relative to where the user stands, when it lies below. */
function shown(file: string, cwd: string): string {
  return isAbsolute(file) && file.startsWith(`${cwd}/`) ? file.slice(cwd.length + 1) : file;
}
