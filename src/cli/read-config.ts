// A model's configuration for a command: from a file or folder of this machine, or as a hub has it for a registered base model.
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError } from './cli-error.js';
import { type HubClient } from './hub-client.js';
import { unreadable } from './read-examples.js';
import { InvalidIdError, parseRepoName } from '#src/ids/ids.js';

/** Configurations take a few KB; more is the wrong file, and must not be read into memory. */
const MAX_BYTES = 1024 * 1024;

/**
 * Parsed JSON of `base`: a path of a config.json, a folder that holds one, or a name of the hub's. A path that exists wins over a name.
 * @throws CliError BASE_UNKNOWN, UNREADABLE_FILE, CONFIG_TOO_LARGE, CONFIG_NOT_JSON, and the hub's own
 */
export async function readConfig(base: string, hub: HubClient): Promise<unknown> {
  const found = await stat(base).catch(() => undefined);
  if (found !== undefined) return readConfigFile(found.isDirectory() ? join(base, 'config.json') : base);
  try {
    parseRepoName(base);
  } catch (cause) {
    if (!(cause instanceof InvalidIdError)) throw cause;
    const advice = 'Give the path of a config.json, a model folder, or the name (ns/name) of a base model on a hub.';
    throw new CliError('BASE_UNKNOWN', `There is no file or folder ${base}, and it is no name. ${advice}`, undefined, { cause });
  }
  try {
    return await hub.getBaseModelConfig(base);
  } catch (cause) {
    if (!(cause instanceof CliError) || cause.code !== 'HUB_UNREACHABLE') throw cause;
    // It may have been meant as a path.
    throw new CliError(cause.code, `There is no file or folder ${base}, and no hub that may know the name. ${cause.message}`, undefined, {
      cause,
    });
  }
}

async function readConfigFile(path: string): Promise<unknown> {
  let text: string;
  try {
    if ((await stat(path)).size > MAX_BYTES)
      throw new CliError('CONFIG_TOO_LARGE', `${path} is larger than ${MAX_BYTES / 1024} KiB: give the config.json of a model.`);
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw cause instanceof CliError ? cause : unreadable(path, cause);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CliError('CONFIG_NOT_JSON', `${path} is not JSON: give the config.json of a model.`, undefined, { cause });
  }
}
