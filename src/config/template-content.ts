import { messageOf } from '../common/errors.js';
import type { ExternalScanner, Program, TemplateFile, TemplateStep } from '../contract/run.js';
import type { Json } from './canonical.js';
import type { NamedFile, TemplateFiles } from './template-files.js';
import type { GatherScanTemplate } from './template-schemas.js';
import type { TemplateSettings } from './template-settings.js';
import { envNamesIn, expandEnv } from './variables.js';

type StepText = GatherScanTemplate['steps'][number];
type ScannerText = Exclude<GatherScanTemplate['scanners'][number], 'trivy'>;
type Path = readonly PropertyKey[];

/** What turns the text of a template into what a run keeps of it: values of this worker, and bytes of its files. */
export interface ContentSource {
  settings: Pick<TemplateSettings, 'templateVariable' | 'stepVariableFault'>;
  files: TemplateFiles;
  /** A fault with the line of what lies at `path`. */
  fault(path: Path, message: string): string;
}

/** Fills in what a template leaves to its worker; every fault is kept, with its line. */
export class TemplateContent {
  readonly faults: string[] = [];

  constructor(private readonly source: ContentSource) {}

  /** A text with the worker's variables in place. */
  text(path: Path, text: string): string {
    const values = new Map<string, string>();
    for (const name of new Set(envNamesIn(text))) {
      const given = this.source.settings.templateVariable(name);
      if ('value' in given) values.set(name, given.value);
      else this.#refuse(path, `has \${env.${name}}, which ${given.fault}`);
    }
    return expandEnv(text, (name) => values.get(name) ?? '');
  }

  texts(path: Path, texts: readonly string[]): string[] {
    return texts.map((text, index) => this.text([...path, index], text));
  }

  record(path: Path, values: Readonly<Record<string, string>>): Record<string, string> {
    return Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, this.text([...path, name], value)]),
    );
  }

  async files(path: Path, files: readonly NamedFile[]): Promise<TemplateFile[]> {
    const taken: TemplateFile[] = [];
    for (const [index, file] of files.entries())
      try {
        taken.push(await this.source.files.take(file));
      } catch (error) {
        this.#refuse([...path, index, 'from'], messageOf(error));
      }
    return taken;
  }

  async steps(steps: readonly StepText[]): Promise<TemplateStep[]> {
    const made: TemplateStep[] = [];
    for (const [index, step] of steps.entries()) {
      const { name, at, onFailure, attempts } = step;
      made.push({ name, at, ...(await this.#program(['steps', index], step)), onFailure, attempts });
    }
    return made;
  }

  /** @param at the scanners' places in the template's list, which has Trivy too */
  async scanners(scanners: readonly { scanner: ScannerText; at: number }[]): Promise<ExternalScanner[]> {
    const made: ExternalScanner[] = [];
    for (const { scanner, at } of scanners)
      made.push({ name: scanner.name, ...(await this.#program(['scanners', at], scanner)) });
    return made;
  }

  async #program(path: Path, program: StepText | ScannerText): Promise<Program> {
    const { command, args, env, timeout } = program;
    for (const [index, name] of env.entries()) {
      const fault = this.source.settings.stepVariableFault(name);
      if (fault !== undefined) this.#refuse([...path, 'env', index], `is ${name}, which ${fault}`);
    }
    const files = await this.files([...path, 'files'], program.files);
    if (files.some((file) => command === `./${file.path}` && !file.executable))
      this.#refuse(
        [...path, 'command'],
        `is ${command}, which is not executable: chmod +x it, or name what runs it as the command (node, sh, python3)`,
      );
    return { command, args: this.texts([...path, 'args'], args), env, files, timeoutSeconds: timeout };
  }

  #refuse(path: Path, message: string): void {
    this.faults.push(this.source.fault(path, message));
  }
}

/** Of files, what a digest covers: where, what, and whether it may be run. Their order says nothing. */
export const filesDigested = (files: readonly TemplateFile[]): Json =>
  files
    .map(({ path, evidence, executable }) => ({ path, digest: evidence.digest, executable }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));

/** Of a program, what a digest covers: how it is run, and what of; not how long it may take. */
export const programDigested = ({ command, args, env, files }: Program) => ({
  command,
  args,
  env,
  files: filesDigested(files),
});
