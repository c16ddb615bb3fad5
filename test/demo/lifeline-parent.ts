import { supervise } from '../../src/demo/services/supervised.js';

/**
 * A parent for the tests to kill: `lifeline-parent.ts <port> <directory> [stubborn]` supervises a program that has a
 * child of its own. Both connect to the port, so that their end is seen as the end of a connection.
 */
const [port = '', directory = '', stubborn = ''] = process.argv.slice(2);

const PROGRAM = `
  const [port, stubborn, generation] = process.argv.slice(1);
  if (stubborn) process.on('SIGTERM', () => {});
  require('node:net').connect(port, '127.0.0.1').on('error', () => {}).write(process.pid + ' ' + process.ppid);
  if (generation === 'first') {
    const args = ['-e', process.env.PROGRAM, port, stubborn, 'second'];
    require('node:child_process').spawn(process.execPath, args, { stdio: 'ignore' });
  }
  setInterval(() => {}, 1000);`;

supervise(process.execPath, ['-e', PROGRAM, port, stubborn, 'first'], {
  env: { PROGRAM },
  removeAfter: directory,
});
