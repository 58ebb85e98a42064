// `npm test`: brings what is missing, on whatever Node runs this, and hands over to the pinned runtime. Arguments are passed on as test files.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, setUp } from './setup.mjs';

const { status } = spawnSync(setUp(), [join(root, 'scripts/run-tests.mjs'), ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
process.exit(status ?? 70);
