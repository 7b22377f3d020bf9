// Writes a composition's report, one page of HTML, to a file.
import { type HubClient } from './hub-client.js';
import { writeText } from './write-file.js';

export interface WrittenReport {
  /** The path as it was given. */
  readonly output: string;
  readonly sizeBytes: number;
}

/**
 * Asks the hub for the report of a composition and writes it.
 * @throws CliError UNWRITABLE_FILE, and as `HubClient.getReport`
 */
export async function writeReport(
  hub: HubClient,
  { name, version }: { name: string; version?: string | undefined },
  output: string,
): Promise<WrittenReport> {
  const page = await hub.getReport(name, version);
  await writeText(output, page);
  return { output, sizeBytes: Buffer.byteLength(page) };
}
