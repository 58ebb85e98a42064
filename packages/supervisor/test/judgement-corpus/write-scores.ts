// Writes docs/architecture/judgement-scores.md from the corpus: `node packages/supervisor/test/judgement-corpus/write-scores.ts`.
import { writeFileSync } from 'node:fs';
import { readCorpus } from './corpus-file.ts';
import { scoresPage } from './scores-page.ts';

writeFileSync(new URL('../../../../docs/architecture/judgement-scores.md', import.meta.url), scoresPage(readCorpus()));
