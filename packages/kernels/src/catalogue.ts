import { join } from 'node:path';
import { completeManifest, type KernelManifest, type ManifestSource } from '@grace/contracts';
import { manifest as agenticSpine } from './agentic_spine/manifest.ts';
import { manifest as apiServer } from './api_server/manifest.ts';
import { manifest as clarityFramework } from './clarity_framework/manifest.ts';
import { manifest as codingAgent } from './coding_agent/manifest.ts';
import { manifest as governance } from './governance/manifest.ts';
import { manifest as healthMonitor } from './health_monitor/manifest.ts';
import { manifest as immutableLog } from './immutable_log/manifest.ts';
import { manifest as infrastructureManager } from './infrastructure_manager/manifest.ts';
import { manifest as learningIntegration } from './learning_integration/manifest.ts';
import { manifest as librarian } from './librarian/manifest.ts';
import { manifest as memoryFusion } from './memory_fusion/manifest.ts';
import { manifest as messageBus } from './message_bus/manifest.ts';
import { manifest as metaLoop } from './meta_loop/manifest.ts';
import { manifest as sandbox } from './sandbox/manifest.ts';
import { manifest as scheduler } from './scheduler/manifest.ts';
import { manifest as secretManager } from './secret_manager/manifest.ts';
import { manifest as selfHealing } from './self_healing/manifest.ts';
import { manifest as triggerMesh } from './trigger_mesh/manifest.ts';
import { manifest as verificationFramework } from './verification_framework/manifest.ts';
import { manifest as voiceConversation } from './voice_conversation/manifest.ts';

/** The kernels the product brings: those that do their job, and no others. This is the only list. */
const KERNELS: readonly ManifestSource[] = [
  messageBus,
  immutableLog,
  governance,
  selfHealing,
  codingAgent,
  clarityFramework,
  verificationFramework,
  secretManager,
  infrastructureManager,
  memoryFusion,
  librarian,
  sandbox,
  agenticSpine,
  voiceConversation,
  metaLoop,
  learningIntegration,
  healthMonitor,
  triggerMesh,
  scheduler,
  apiServer,
];

/** Complete manifests; `distDir` is the folder of the bundled entries, absolute. */
export function catalogue(distDir: string): KernelManifest[] {
  return KERNELS.map((source) =>
    completeManifest(source, { module: join(distDir, 'kernels', `${source.id}.cjs`), builtin: true }),
  );
}
