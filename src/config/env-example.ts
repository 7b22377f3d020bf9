// The text of .env.example, made from the settings so that it cannot fall behind them.
import { settings, type Setting } from './settings.js';

/** Renders every setting: its description, unit and secrecy as comments, its default as a commented assignment. */
export function renderEnvExample(): string {
  const blocks = Object.values<Setting<unknown>>(settings).map((setting) => {
    const traits = [setting.unit === undefined ? [] : [`in ${setting.unit}`], setting.secret === true ? ['secret'] : []].flat();
    const value = setting.defaultNote === undefined ? (setting.default ?? '') : '';
    const note = setting.defaultNote === undefined ? '' : ` Default: ${setting.defaultNote}.`;
    return `# ${setting.description}${traits.length > 0 ? ` (${traits.join(', ')})` : ''}${note}\n#${setting.variable}=${value}\n`;
  });
  return `# Made from src/config/settings.ts by \`npm run env-example\`. Every line is optional.\n\n${blocks.join('\n')}`;
}
