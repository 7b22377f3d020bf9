// `npm run bench`: installs and builds what is missing, then measures Braid and its peers in one run (bench/main.ts).
// `npm run bench -- quality`, `-- evaluation`, `-- retrieval` and `-- spaces` are the files of bench/compose, `-- variants` is bench/variants,
// `-- pages` is bench/pages, `-- serve` bench/serve, `-- soak` bench/soak, `-- providers` and `-- precisions` are bench/providers.ts and bench/precisions.ts.
import { join } from 'node:path';
import { ensureBuilt, root, runOrExit } from '../bin/ensure-built.js';

const COMPOSE_BENCHES = ['quality', 'evaluation', 'retrieval', 'spaces'];

ensureBuilt();
const [name = ''] = process.argv.slice(2);
const OTHERS = {
  variants: ['variants', 'main.js'],
  pages: ['pages', 'main.js'],
  serve: ['serve', 'main.js'],
  soak: ['soak', 'main.js'],
  providers: ['providers.js'],
  precisions: ['precisions.js'],
};
const entry = COMPOSE_BENCHES.includes(name) ? ['compose', `${name}.js`] : (OTHERS[name] ?? ['main.js']);
runOrExit(process.execPath, ['--enable-source-maps', '--expose-gc', join(root, 'dist', 'bench', ...entry), ...process.argv.slice(2)]);
