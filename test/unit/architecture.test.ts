// ARCHITECTURE.md's annotated tree names exactly the folders that exist.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
/** Below these, folders are data and come and go. */
const OPAQUE = ['examples', 'test/golden', 'test/fixtures', 'test/unit'];

/** Folders that git tracks, without those inside opaque ones. */
function trackedFolders(): Set<string> {
  const files = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).split('\n').filter(Boolean);
  const folders = new Set<string>();
  for (const file of files) {
    for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) {
      if (!OPAQUE.some((opaque) => folder.startsWith(`${opaque}/`))) folders.add(folder);
    }
  }
  return folders;
}

/** Reads the indented tree in the first code block that follows "## Tree". */
function documentedFolders(markdown: string): Set<string> {
  const block = /## Tree\n[\s\S]*?```\n([\s\S]*?)```/.exec(markdown)?.[1] ?? '';
  const folders = new Set<string>();
  const path: { indent: number; name: string }[] = [];
  for (const line of block.split('\n')) {
    const match = /^( *)(\S+)\/(?:\s|$)/.exec(line);
    if (match === null) continue;
    const indent = match[1]?.length ?? 0;
    while (path.length > 0 && (path.at(-1)?.indent ?? 0) >= indent) path.pop();
    path.push({ indent, name: match[2] ?? '' });
    folders.add(path.map(({ name }) => name).join('/'));
  }
  return folders;
}

test("ARCHITECTURE.md's tree is the repository's", (t) => {
  let actual: Set<string>;
  try {
    actual = trackedFolders();
  } catch {
    t.skip('not a git checkout: the tree cannot be listed');
    return;
  }
  const documented = documentedFolders(readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8'));
  assert.deepEqual([...documented].sort(), [...actual].sort());
});
