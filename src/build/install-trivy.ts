import { copyFile } from 'node:fs/promises';
import { toolScreen } from '../demo/tools/screen.js';
import { ensureTools } from '../demo/tools.js';

// For the Dockerfile, so that it knows no versions or checksums of its own:
//
//   node dist/build/install-trivy.js <where it goes>
const [destination] = process.argv.slice(2);
if (destination === undefined) throw new Error('usage: install-trivy.js <destination>');
const screen = toolScreen(process.stderr);
const { trivy } = await ensureTools(['trivy'], { report: screen.report }).finally(() => screen.end());
await copyFile(trivy.path, destination);
