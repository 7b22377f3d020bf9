// `npm run demo`: installs and builds what is missing, then runs the demonstration (examples/demo.ts) with the arguments given.
import { join } from 'node:path';
import { ensureBuilt, root, runOrExit } from '../bin/ensure-built.js';

ensureBuilt();
runOrExit(process.execPath, ['--enable-source-maps', join(root, 'dist', 'examples', 'demo.js'), ...process.argv.slice(2)]);
