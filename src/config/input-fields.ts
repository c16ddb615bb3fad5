import picomatch from 'picomatch';
import type { RunInput } from '../contract/input.js';
import { runInputSchema } from '../contract/input.js';
import { readRegistryPrefix } from './registry-prefix.js';
import { parseSecretReference } from './secret.js';

export type InputField = keyof RunInput;

/** The input's fields in the order of its schema, which is that of the documentation. */
export const INPUT_FIELDS: readonly InputField[] = runInputSchema.keyof().options;

/** The variable that decides where the input is silent: `maxConcurrency` → `MAX_CONCURRENCY`. */
export const inputVariable = (field: InputField): string =>
  field.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

/** What a field is when neither input nor environment says anything. Fields without one are required, or mean "all". */
export const INPUT_DEFAULTS = {
  modifyDefault: false,
  maxConcurrency: 5,
  harnessUrl: 'https://app.harness.io/gateway/api/graphql',
  harnessApiKeySecret: 'env:HARNESS_API_KEY',
  gatherScanTemplate: 'default',
  buildPushTemplate: 'default',
  infra: ['K8'],
  include: [],
  exclude: [],
  valueStyle: 'qualified',
  scan: true,
  dryRun: false,
} as const satisfies RunInput | { [field in InputField]?: readonly string[] };

/** The grammar of template names: never a path. */
export const TEMPLATE_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

// The operating systems and architectures of Go, which the OCI image-spec refers to (image-index.md, "platform").
const SYSTEMS = new Set(['linux', 'windows', 'darwin', 'freebsd', 'netbsd', 'openbsd', 'solaris', 'aix']);
const ARCHITECTURES = new Set(
  '386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x wasm'.split(' '),
);

/** Why a text is no `os/arch[/variant]`; undefined when it is one. */
export function platformFault(text: string): string | undefined {
  const [system = '', architecture = '', variant, ...rest] = text.split('/');
  if (!SYSTEMS.has(system)) return 'does not begin with an operating system, as linux/arm64 does';
  if (!ARCHITECTURES.has(architecture))
    return 'has no architecture that images use, such as amd64 or arm64, after the operating system';
  if (rest.length > 0 || (variant !== undefined && !/^[a-z0-9]{1,10}$/.test(variant)))
    return 'may have a variant such as v7 at its end, and nothing else';
  return undefined;
}

/** Why a text is no glob; undefined when it is one. */
export function globFault(text: string): string | undefined {
  if (text.length > 200) return 'is longer than 200 characters';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u0020]/.test(text)) return 'has white space or control characters';
  try {
    picomatch.makeRe(text, { strictBrackets: true });
    return undefined;
  } catch {
    return 'is not a glob: a bracket is open';
  }
}

const each =
  (fault: (text: string) => string | undefined) =>
  (texts: readonly string[]): string[] =>
    texts.flatMap((text, index) => {
      const why = fault(text);
      return why === undefined ? [] : [`entry ${index + 1} ${why}`];
    });

/** What the schema cannot say of a field's value. No fault echoes the value. */
export const FIELD_CHECKS: { readonly [F in InputField]?: (value: NonNullable<RunInput[F]>) => string[] } = {
  registry: (text) => {
    const read = readRegistryPrefix(text);
    return 'fault' in read ? [read.fault] : [];
  },
  registryConnector: (text) =>
    /^(?:(?:account|org)\.)?[A-Za-z_][\w$]{0,127}$/.test(text)
      ? []
      : ['must be a connector’s id, such as account.harnessImage'],
  harnessApiKeySecret: (text) =>
    parseSecretReference(text) === undefined ? ['must be env:NAME or file:/absolute/path'] : [],
  gatherScanTemplate: templateName,
  buildPushTemplate: templateName,
  include: each(globFault),
  exclude: each(globFault),
  platforms: each(platformFault),
};

function templateName(text: string): string[] {
  return TEMPLATE_NAME.test(text)
    ? []
    : ['must be a template’s name (lower-case letters, digits, . _ -), not a path'];
}
