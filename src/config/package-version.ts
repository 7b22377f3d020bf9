// The version of this package, as package.json has it.
import { readFile } from 'node:fs/promises';

// From dist/src/config.
const PACKAGE_FILE = new URL('../../../package.json', import.meta.url);

export async function readPackageVersion(): Promise<string> {
  return (JSON.parse(await readFile(PACKAGE_FILE, 'utf8')) as { version: string }).version;
}
