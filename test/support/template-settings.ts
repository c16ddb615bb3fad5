import type { TemplateSettings } from '../../src/config/template-settings.js';

/** A worker that gives templates these variables, and programs any. */
export const settingsOf = (
  templateDir: string | null,
  variables: Readonly<Record<string, string>> = {},
): TemplateSettings => ({
  templateDir,
  templateVariable: (name) => {
    const value = variables[name];
    return value === undefined ? { fault: 'is not set on this worker' } : { value };
  },
  stepVariableFault: () => undefined,
});
