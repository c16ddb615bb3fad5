import { loadEnvironment } from '../../src/config/environment.js';
import { WorkerPrograms } from '../../src/programs/worker-programs.js';
import { FolderEvidenceStore } from '../../src/store/evidence-folder.js';

/** A worker that runs a program which never ends; the pids of it and of its child go to the file that is named. */
const [directory = '', file = ''] = process.argv.slice(2);
const programs = await WorkerPrograms.open({
  directory: `${directory}/programs`,
  environment: loadEnvironment({ PATH: process.env.PATH }),
  evidence: new FolderEvidenceStore(`${directory}/evidence`),
});
await programs.run(
  {
    program: {
      command: '/bin/sh',
      args: ['-c', 'sleep 1000 & echo $$ $! > "$0.part" && mv "$0.part" "$0"; wait', file],
      env: [],
      files: [],
      timeoutSeconds: 600,
    },
    variables: {},
  },
  { signal: new AbortController().signal, progress: () => {} },
);
