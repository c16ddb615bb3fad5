import { homedir } from 'node:os';
import { join } from 'node:path';
import type { WorkerEnvironment } from '../config/environment.js';
import type { TrivyOptions } from '../scanners/trivy.js';

/** Where Trivy's publishers put their databases (trivy 0.76, `--help`). */
const DB_REPOSITORY = 'mirror.gcr.io/aquasec/trivy-db:2,ghcr.io/aquasecurity/trivy-db:2';
const JAVA_DB_REPOSITORY = 'mirror.gcr.io/aquasec/trivy-java-db:1,ghcr.io/aquasecurity/trivy-java-db:1';

type Settings = Pick<
  TrivyOptions,
  | 'program'
  | 'cacheDir'
  | 'dbRepository'
  | 'javaDbRepository'
  | 'skipDbUpdate'
  | 'skipJavaDbUpdate'
  | 'offlineScan'
>;

/** The scanner's settings out of Trivy's own variables (design, decision 6), with Trivy's defaults. */
export function trivySettings({ program, environment }: WorkerEnvironment['trivy']): Settings {
  const is = (name: string): boolean => environment[name] === 'true' || environment[name] === '1';
  return {
    program,
    cacheDir:
      environment.TRIVY_CACHE_DIR ?? join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'trivy'),
    dbRepository: environment.TRIVY_DB_REPOSITORY ?? DB_REPOSITORY,
    javaDbRepository: environment.TRIVY_JAVA_DB_REPOSITORY ?? JAVA_DB_REPOSITORY,
    skipDbUpdate: is('TRIVY_SKIP_DB_UPDATE'),
    skipJavaDbUpdate: is('TRIVY_SKIP_JAVA_DB_UPDATE'),
    offlineScan: is('TRIVY_OFFLINE_SCAN'),
  };
}
