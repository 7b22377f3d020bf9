// `npm run bench`: installs and builds what is missing, then measures Braid and its peers in one run (bench/main.ts).
// `npm run bench -- retrieval` is bench/compose/retrieval.ts.
import { join } from 'node:path';
import { ensureBuilt, root, runOrExit } from '../bin/ensure-built.js';

ensureBuilt();
const entry = process.argv[2] === 'retrieval' ? ['compose', 'retrieval.js'] : ['main.js'];
runOrExit(process.execPath, ['--enable-source-maps', '--expose-gc', join(root, 'dist', 'bench', ...entry), ...process.argv.slice(2)]);
