import { envValueFault } from './variables.js';

/** What a template may have of the worker that resolves it. */
export interface TemplateSettings {
  /** Null: built-in templates only. */
  templateDir: string | null;
  /** A variable's value for `${env.NAME}`, or why it has none to give. */
  templateVariable(name: string): { value: string } | { fault: string };
  /** Why a program may not have a variable; undefined when it may. */
  stepVariableFault(name: string): string | undefined;
}

/** Whether a name matches a pattern with `*` for any part of it. */
export const matchesName = (pattern: string, name: string): boolean =>
  new RegExp(`^${pattern.split('*').join('.*')}$`).test(name);

/**
 * Variables that are the worker's own secrets, whatever it is told to allow: Temporal's client reads keys and headers
 * from many names.
 */
const OWN_SECRETS =
  /^(?:HARNESS_API_KEY|REGISTRY_PASSWORD|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|TEMPORAL_.*)$/;

/** What {@link templateSettings} needs of the worker's environment. */
interface Given {
  allowedTemplateEnv: readonly string[];
  allowedStepEnv: readonly string[];
  /** Whether `ALLOWED_SECRETS` names it. */
  isSecret(name: string): boolean;
  variable(name: string): string | undefined;
}

/** The rules by which this worker gives variables of its own to templates, and to the programs that they run. */
export function templateSettings(given: Given): Omit<TemplateSettings, 'templateDir'> {
  const isOwnSecret = (name: string): boolean => OWN_SECRETS.test(name) || given.isSecret(name);
  return {
    templateVariable(name) {
      if (isOwnSecret(name))
        return {
          fault: `is a secret of this worker: what a template is expanded with ends in the image and in Temporal’s history`,
        };
      if (!given.allowedTemplateEnv.some((pattern) => matchesName(pattern, name)))
        return {
          fault: 'is not given to templates by this worker: add it to ALLOWED_TEMPLATE_ENV if it may be',
        };
      const value = given.variable(name);
      if (value === undefined) return { fault: 'is not set on this worker' };
      const fault = envValueFault(value);
      return fault === undefined ? { value } : { fault: `can’t be used: its value ${fault}` };
    },
    stepVariableFault(name) {
      // A pattern is meant for what it was written for; a secret of our own must be meant by its name.
      const allowed = given.allowedStepEnv.some((pattern) =>
        isOwnSecret(name) ? pattern === name : matchesName(pattern, name),
      );
      if (allowed) return undefined;
      return isOwnSecret(name)
        ? 'is a secret of this worker’s own: name it literally in ALLOWED_STEP_ENV if a program shall have it'
        : 'is not given to programs of templates by this worker: add it to ALLOWED_STEP_ENV if it may be';
    },
  };
}
