// `npm run bench`: installs and builds what is missing, then measures Braid and its peers in one run (bench/main.ts).
import { join } from 'node:path';
import { ensureBuilt, root, runOrExit } from '../bin/ensure-built.js';

ensureBuilt();
runOrExit(process.execPath, ['--enable-source-maps', '--expose-gc', join(root, 'dist', 'bench', 'main.js'), ...process.argv.slice(2)]);
