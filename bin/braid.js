#!/usr/bin/env node
// The `braid` command: hands arguments and environment to the built command line (src/cli).
import { existsSync } from 'node:fs';

const built = new URL('../dist/src/cli/main.js', import.meta.url);
if (!existsSync(built)) {
  console.error('error NOT_BUILT: dist/ is missing. Run "npm ci" and "npm run build" in the repository first.');
  process.exit(1);
}
const { main } = await import(built.href);
await main(process.argv.slice(2), process.env);
