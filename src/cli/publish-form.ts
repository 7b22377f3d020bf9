// Sends an upload and shows what was published; commands that publish differ in the files alone.
import { type PublishedAdapterView } from './hub-views.js';
import { type Invocation } from './invocation.js';
import { renderPublished } from './render/adapters.js';
import { printableLine } from './terminal.js';

/** @throws as `HubClient.publish` */
export async function publishForm(invocation: Invocation, name: string, form: FormData): Promise<void> {
  const published = await sendForm(invocation, name, form);
  invocation.show(published, () => renderPublished(published, invocation.terminal.style));
}

/** As `publishForm`, for commands that show more than that. */
export async function sendForm(
  invocation: Invocation,
  name: string,
  form: FormData,
): Promise<PublishedAdapterView & { readonly created: boolean }> {
  invocation.note(`Publishing ${name} …`);
  const published = await invocation.hub.publish(form);
  for (const warning of published.warnings) invocation.note(`${invocation.terminal.errStyle.yellow('warning')}: ${printableLine(warning)}`);
  return published;
}
