import type { ScheduleDescription, ScheduleUpdateOptions } from '@temporalio/client';
import { looksLikeKey } from '../config/looks-like-key.js';
import { calendarText } from './cron.js';

/** What a schedule is, as texts by name: what people read, and what is compared. Absent is what the server assumes. */
export type Facts = Readonly<Record<string, string>>;

/** One fact that is not what it was; null where there was none, or is none. */
export interface Change {
  name: string;
  from: string | null;
  to: string | null;
}

const HOUR_MS = 3_600_000;
/** Temporal's own default, which its CLI sends and the SDK leaves to the server. */
const TASK_TIMEOUT_MS = 10_000;

/** `6h`, `90m`, `45s`: as the flags take it. */
export function span(ms: number): string {
  if (ms % HOUR_MS === 0) return `${ms / HOUR_MS}h`;
  return ms % 60_000 === 0 ? `${ms / 60_000}m` : `${ms / 1000}s`;
}

/** The facts of a schedule that stands. */
export function factsOf(description: ScheduleDescription): Facts {
  const { spec } = description;
  const when = [
    ...(spec.calendars ?? []).map(calendarText),
    ...(spec.intervals ?? []).map(
      ({ every, offset }) => `@every ${span(every)}${offset ? `/${span(offset)}` : ''}`,
    ),
  ];
  const { keepOriginalWorkflowId } = description.raw.schedule?.policies ?? {};
  return {
    ...factsOfOptions(when, description),
    ...(keepOriginalWorkflowId ? { 'workflow id without time': 'true' } : {}),
  };
}

/** All of a schedule that can be written. The SDK's own type has lost the fields of `state` (1.24). */
export type ScheduleParts = Omit<ScheduleUpdateOptions, 'state'> & {
  state: Pick<ScheduleDescription['state'], 'note' | 'remainingActions'> & { paused: boolean };
};

/** The facts of what is wanted. @param when what the server will make of its cron expressions */
export function factsOfOptions(when: readonly string[], options: ScheduleParts): Facts {
  const { spec, action, policies, state } = options;
  const { catchupWindow, overlap, pauseOnFailure } = policies ?? {};
  return texts({
    when: [...when].sort().join('; '),
    'time zone': spec.timezone || 'UTC',
    'not when': spec.skip?.length ? spec.skip : undefined,
    from: spec.startAt,
    until: spec.endAt,
    jitter: spent(spec.jitter),
    overlap: overlap ?? 'SKIP',
    'catch-up window': spent(catchupWindow),
    'pause on failure': pauseOnFailure || undefined,
    'runs left': state.remainingActions,
    note: state.note || undefined,
    workflow: String(action.workflowType),
    'workflow id': action.workflowId,
    'task queue': action.taskQueue,
    'execution timeout': spent(action.workflowExecutionTimeout),
    'run timeout': spent(action.workflowRunTimeout),
    'task timeout':
      action.workflowTaskTimeout === TASK_TIMEOUT_MS ? undefined : spent(action.workflowTaskTimeout),
    retry: action.retry,
    memo: action.memo,
    'search attributes': action.searchAttributes && filled(action.searchAttributes),
    summary: action.staticSummary,
    details: action.staticDetails,
    ...inputFacts(action.args ?? []),
  });
}

/** Each field of the input is a fact of its own. */
function inputFacts(args: readonly unknown[]): Record<string, unknown> {
  const [input, ...more] = args;
  if (more.length > 0 || typeof input !== 'object' || input === null || Array.isArray(input))
    return { input: args };
  return Object.fromEntries(Object.entries(input).map(([name, value]) => [`input.${name}`, value]));
}

const filled = (value: object): object | undefined => (Object.keys(value).length > 0 ? value : undefined);

/** Zero is how the server says that there is none. */
const spent = (value: unknown): string | undefined =>
  typeof value === 'number' && value > 0 ? span(value) : undefined;

function texts(values: Record<string, unknown>): Facts {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => {
      if (value === undefined) return [];
      const text = typeof value === 'string' && !name.startsWith('input') ? value : JSON.stringify(value);
      // Whoever may write to the namespace chose it, past every check of ours: no screen shows it.
      return [[name, looksLikeKey(text) ? '(a key)' : text]];
    }),
  );
}

/** What differs, in the order of what is wanted, then what goes away. */
export function changesBetween(before: Facts, after: Facts): Change[] {
  const names = [...new Set([...Object.keys(after), ...Object.keys(before)])];
  return names
    .map((name) => ({ name, from: before[name] ?? null, to: after[name] ?? null }))
    .filter(({ from, to }) => from !== to);
}
