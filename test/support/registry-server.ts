import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRegistry as startService } from '../../src/demo/services/registry.js';
import { type Issued, TLS_HOST } from './tls.js';

/** The one user that {@link TestRegistryOptions.htpasswd} lets in. */
export const TEST_LOGIN = { user: 'tester', password: 'test-password' };

/** {@link TEST_LOGIN} for distribution, which reads bcrypt only: made once with Go's x/crypto/bcrypt, at cost 4. */
const HTPASSWD = `${TEST_LOGIN.user}:$2a$04$.zkmVOo7.skUUxHg1sKVzeBZuSOKn3BVr2tn9pFY2vketm/1VPn6e\n`;

export interface TestRegistryOptions {
  /** Asks for {@link TEST_LOGIN} (Basic). */
  htpasswd?: boolean;
  /** Refuses everything that writes. */
  readonly?: boolean;
  /** It speaks TLS with this; its host is then one that is not loopback by name. */
  tls?: Issued;
  /** Serves what another registry left here. */
  storageDir?: string;
  /** Distribution 2.8, if it is there under this name. */
  program?: string;
  /** Merged over the top level of distribution's configuration. */
  configuration?: Record<string, unknown>;
}

export interface TestRegistry {
  host: string;
  /** The root of its storage: tests damage blobs there. */
  storageDir: string;
  stop(): Promise<void>;
}

/** A real CNCF distribution registry on a free loopback port. */
export async function startRegistry(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const directory = await mkdtemp(join(tmpdir(), 'image-factory-test-registry-'));
  const storageDir = options.storageDir ?? join(directory, 'storage');
  const htpasswd = join(directory, 'htpasswd');
  if (options.htpasswd) await writeFile(htpasswd, HTPASSWD);
  const tls = { certificate: join(directory, 'tls.pem'), key: join(directory, 'tls.key') };
  if (options.tls) {
    await writeFile(tls.certificate, options.tls.certificate);
    await writeFile(tls.key, options.tls.key);
  }
  const readonly = {
    storage: {
      filesystem: { rootdirectory: storageDir },
      maintenance: { readonly: { enabled: true } },
    },
  };
  const service = await startService({
    ...(options.program === undefined ? {} : { program: options.program }),
    ...(options.htpasswd ? { htpasswd } : {}),
    ...(options.tls ? { tls } : {}),
    storage: storageDir,
    configuration: { ...(options.readonly ? readonly : {}), ...options.configuration },
  });
  return {
    host: options.tls ? service.address.replace('127.0.0.1', TLS_HOST) : service.address,
    storageDir,
    stop: async () => {
      await service.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
