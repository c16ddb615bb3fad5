import { DefaultLogger, type LogEntry, type LogLevel } from '@temporalio/worker';
import { pino } from 'pino';

const LEVELS: Record<LogLevel, 'trace' | 'debug' | 'info' | 'warn' | 'error'> = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
};

/** The worker's log: one JSON object a line on standard error, the SDK's entries included. */
export const log = pino({ name: 'image-factory', base: null }, pino.destination({ fd: 2, sync: true }));

/** The same log as the SDK wants it. */
export const temporalLogger = new DefaultLogger('INFO', ({ level, message, meta }: LogEntry) =>
  log[LEVELS[level]]({ ...meta, error: messageIn(meta) }, message),
);

/** An error's own message: its stack and cause are the SDK's, and large. */
const messageIn = (meta: LogEntry['meta']): string | undefined =>
  meta?.error instanceof Error ? meta.error.message : undefined;
