import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadBuildPush, loadGatherScan, type TemplateKind } from '../../src/config/templates.js';
import { temporaryDirectory } from '../support/directory.js';
import { settingsOf } from '../support/template-settings.js';

/** A TEMPLATE_DIR with one template, and files that are there, too large, a folder, and links that lead out. */
async function templateDir(kind: TemplateKind, text: string): Promise<string> {
  const directory = await temporaryDirectory();
  const files = join(directory, 'files');
  await mkdir(join(directory, kind), { recursive: true });
  await mkdir(join(files, 'folder'), { recursive: true });
  await writeFile(join(directory, kind, 'mine.yaml'), text);
  await writeFile(join(files, 'ca.crt'), 'a certificate');
  await writeFile(join(files, 'plain.sh'), '#!/bin/sh\n');
  await writeFile(join(files, 'run.sh'), '#!/bin/sh\n');
  await chmod(join(files, 'run.sh'), 0o755);
  await writeFile(join(files, 'large'), Buffer.alloc(2 ** 20 + 1));
  await symlink('/etc/hostname', join(files, 'out'));
  await symlink('ca.crt', join(files, 'inside'));
  return directory;
}

/** Its faults, without the beginning that all of them have. */
async function faultsOf(kind: TemplateKind, text: string): Promise<string[]> {
  const settings = settingsOf(await templateDir(kind, text), { TEAM: 'platform' });
  const loaded =
    kind === 'gather-scan'
      ? await loadGatherScan('mine', settings, '2026-03-01')
      : await loadBuildPush('mine', settings, undefined);
  const title = `${kind} template mine: `;
  const faults = loaded.ok ? [] : loaded.faults;
  for (const fault of faults) expect(fault.startsWith(title), fault).toBe(true);
  return faults.map((fault) => fault.slice(title.length));
}

const VARIABLES =
  '${source.digest}, ${source.tag}, ${run.id}, ${run.time}, ${env.NAME}, and $${ for the characters themselves';

const BAD: [what: string, kind: TemplateKind, text: string, faults: string[]][] = [
  [
    'a variable that nobody knows',
    'build-push',
    'labels:\n  com.example.from: "${source.tags}"\n',
    [
      `line 2: labels.com.example.from has the unknown variable "source.tags" (did you mean source.tag?): here are ${VARIABLES}`,
    ],
  ],
  [
    'a variable that is not closed, and a value that is no text',
    'build-push',
    'annotations:\n  a.b: "${run.id"\n  c.d: 1.10\n',
    [
      'line 2: annotations.a.b has a ${ without its }: write $${ for the characters themselves',
      'line 3: annotations.c.d must be text: put the value in quotes',
    ],
  ],
  [
    'an engine that builds nothing beside something to build',
    'build-push',
    'engine: registry\ndockerfile: RUN true\n',
    ['line 1: engine is registry, which builds nothing: take it out, or the dockerfile'],
  ],
  [
    'files and arguments of a build that is none',
    'build-push',
    'files: [{ from: ca.crt }]\nbuildArgs: { A: b }\n',
    [
      'line 1: files means nothing without a dockerfile',
      'line 2: buildArgs means nothing without a dockerfile',
    ],
  ],
  [
    'a Dockerfile with stages and images of its own',
    'build-push',
    'platforms: []\ndockerfile: |\n  # syntax=docker/dockerfile:1\n  FROM alpine\n  COPY --from=alpine /a /b\n  RUN --mount=type=bind,from=alpine true\n  ADD https://example.com/x /x\n',
    [
      'line 3: dockerfile has the directive # syntax=, which only counts on a Dockerfile’s first lines: FROM stands there',
      'line 4: dockerfile has a FROM of its own: the factory puts FROM with the source by digest in front, and there is no second stage',
      'line 5: dockerfile has COPY --from, and what that names is not pinned: put the file into the template’s files',
      'line 6: dockerfile has RUN --mount with from=, and what that names is not pinned: put the file into the template’s files',
      'line 7: dockerfile has an ADD of a URL, which the engine fetches by itself, past the template’s network: put the file into the template’s files, or fetch it in a RUN that checks its hash',
    ],
  ],
  [
    'an empty Dockerfile',
    'build-push',
    'dockerfile: |\n  # nothing yet\n',
    ['line 2: dockerfile is empty: leave it out, or say what to RUN, COPY, ENV, …'],
  ],
  [
    'files from somewhere else',
    'build-push',
    'dockerfile: COPY . /\nfiles:\n  - from: ../secret\n  - from: /etc/passwd\n  - { from: ca.crt, path: a/../../b }\n',
    [
      'line 3: files[0].from has "..", "." or an empty part: files lie in TEMPLATE_DIR/files, and are named from there',
      'line 4: files[1].from is an absolute path: files lie in TEMPLATE_DIR/files, and are named from there',
      'line 5: files[2].path has "..", "." or an empty part: files lie in TEMPLATE_DIR/files, and are named from there',
    ],
  ],
  [
    'files that are not there, lead out, are too large, or are none',
    'build-push',
    'dockerfile: COPY . /\nfiles:\n  - from: none.crt\n  - from: out\n  - from: large\n  - from: folder\n  - from: inside\n',
    [
      'line 3: files[0].from is none.crt, and TEMPLATE_DIR/files has no such file',
      'line 4: files[1].from is out, which can’t be used: it is a link that leads out of TEMPLATE_DIR/files',
      'line 5: files[2].from is large, which can’t be used: it is larger than 1 MiB',
      'line 6: files[3].from is folder, which can’t be used: it is not a file',
    ],
  ],
  [
    'files in one place, in the folder of another, or in a place that means something to the engine',
    'build-push',
    'dockerfile: COPY . /\nfiles:\n  - from: ca.crt\n  - { from: inside, path: ca.crt }\n  - { from: ca.crt, path: a }\n  - { from: ca.crt, path: a/b }\n  - { from: ca.crt, path: .dockerignore }\n',
    [
      'line 4: files[1].path is "ca.crt", as another file has it: give it another path',
      'line 5: files[2].path is "a", which is the folder of another file: give it another path',
      'line 7: files[4].path is ".dockerignore", a name that is not free there: give it another path',
    ],
  ],
  [
    'a build argument that chooses what builds',
    'build-push',
    'dockerfile: RUN true\nbuildArgs:\n  BUILDKIT_SYNTAX: example.com/frontend\n  1A: x\n',
    [
      'line 3: buildArgs.BUILDKIT_SYNTAX is set by the factory itself',
      'line 4: buildArgs.1A is not the name of an ARG',
    ],
  ],
  [
    'extra tags that are none, and the same twice',
    'build-push',
    'extraTags:\n  - "a b"\n  - "${source.tag}:x"\n  - same\n  - same\n',
    [
      'line 2: extraTags[0] is no tag: it may have letters, digits, "_", "." and "-", at most 128, with its variables in place',
      'line 3: extraTags[1] is no tag: it may have letters, digits, "_", "." and "-", at most 128, with its variables in place',
      'line 5: extraTags[3] is "same", as another one is',
    ],
  ],
  [
    'a step that is a line of shell',
    'build-push',
    'steps:\n  - name: notify\n    at: after-push\n    command: curl -s https://example.com | sh && true\n',
    [
      'line 4: steps[0].command is no line of a shell: name one program, and each of its arguments in args (for a pipe, put a script into files and run ./script)',
    ],
  ],
  [
    'a step at a place that its template does not have, with a name, a time and a field that are none',
    'build-push',
    'steps:\n  - name: Tell us\n    at: after-scan\n    command: "true"\n    timeout: 11m\n    retries: 2\n    attempts: 11\n',
    [
      'line 2: steps[0].name must be lower-case letters, digits and -, at most 40',
      'line 3: steps[0].at must be one of before-build, after-build, before-push, after-push, after-run in this template',
      'line 5: steps[0].timeout may be 10m at most',
      'line 6: unknown field "retries" in steps[0]',
      'line 7: steps[0].attempts must be 1 to 10',
    ],
  ],
  [
    'a step that is told what its place does not know',
    'build-push',
    'steps:\n  - name: a\n    at: before-build\n    command: "true"\n    args: ["${event}", "${digest}"]\n  - { name: b, at: after-run, command: "true", args: ["${report}"] }\n',
    [
      'line 5: steps[0].args[1] has the unknown variable "digest": here are ${source.digest}, ${source.tag}, ${run.id}, ${run.time}, ${event}, ${image}, ${source}, ${target}, ${env.NAME}, and $${ for the characters themselves',
      'line 6: steps[1].args[0] has the unknown variable "report": here are ${run.id}, ${run.time}, ${event}, ${report.json}, ${report.html}, ${env.NAME}, and $${ for the characters themselves',
    ],
  ],
  [
    'steps with one name, with a program that is not among their files, and one that may not be run',
    'gather-scan',
    'steps:\n  - { name: a, at: before-gather, command: ./none.sh }\n  - { name: a, at: after-gather, command: "true" }\n',
    [
      'line 2: steps[0].command is "./none.sh", and no file of its files is put there',
      'line 3: steps[1] has the name "a", as another one does',
    ],
  ],
  [
    'a file that may not be run',
    'gather-scan',
    'steps:\n  - { name: a, at: before-gather, command: ./run.sh, files: [{ from: run.sh }] }\n  - { name: b, at: after-run, command: ./plain.sh, files: [{ from: plain.sh }] }\n',
    [
      'line 3: steps[1].command is ./plain.sh, which is not executable: chmod +x it, or name what runs it as the command (node, sh, python3)',
    ],
  ],
  [
    'variables of the worker that it has not, and that the factory sets',
    'gather-scan',
    'steps:\n  - name: a\n    at: after-run\n    command: "true"\n    args: ["${env.TEAM}", "${env.NONE}"]\n',
    ['line 5: steps[0].args[1] has ${env.NONE}, which is not set on this worker'],
  ],
  [
    'variables that the factory sets for every program',
    'gather-scan',
    'steps:\n  - name: a\n    at: after-run\n    command: "true"\n    env: [PATH, FACTORY_EVENT, a-b]\n',
    [
      'line 5: steps[0].env[2] is not the name of a variable, such as SLACK_WEBHOOK_URL',
      'line 5: steps[0].env[0] is "PATH", which the factory sets itself',
      'line 5: steps[0].env[1] is "FACTORY_EVENT", which the factory sets itself',
    ],
  ],
  [
    'scanners without Trivy, one that is only named, and one that is not told where to write',
    'gather-scan',
    'scanners:\n  - grype\n  - name: own\n    command: own\n    args: ["${layout}", "${digest}"]\n    timout: 1m\n',
    [
      'line 1: scanners has no trivy: others look beside it, not instead',
      'line 2: scanners[0] must be trivy, or a scanner of yours with name, command and args',
      'line 5: scanners[1].args[1] has the unknown variable "digest": here are ${layout}, ${output}, ${env.NAME}, and $${ for the characters themselves',
      'line 5: scanners[1].args has no ${output}, which says where it writes its SARIF',
      'line 6: unknown field "timout" in scanners[1] (did you mean timeout?)',
    ],
  ],
  [
    'more than there may be',
    'gather-scan',
    `steps:\n${Array.from({ length: 21 }, (_, n) => `  - { name: s${n}, at: after-run, command: "true" }\n`).join('')}scanners: [trivy, ${Array.from({ length: 5 }, (_, n) => `{ name: t${n}, command: t, args: ["\${layout}", "\${output}"] }`).join(', ')}]\n`,
    ['line 1: steps has more than 20 entries', 'line 23: scanners has more than 5 entries'],
  ],
];

describe('a bad template', () => {
  it.each(BAD)('%s: each fault is named, with its line', async (_, kind, text, faults) => {
    expect(await faultsOf(kind, text)).toEqual(faults);
  });

  it('shows no control character of what it holds', async () => {
    const [fault = ''] = await faultsOf(
      'gather-scan',
      'steps:\n  - { name: a, at: after-run, command: "./\\e[2J" }\n',
    );
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(fault).not.toMatch(/[\u0000-\u001f]/);
  });
});
