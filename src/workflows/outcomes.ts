import { CancellationScope } from '@temporalio/workflow';
import type { ImageRecord } from '../contract/outcome.js';
import { reporting } from './activities.js';

/** A page of records stays well below 64 KB (design, decision 1). */
const PAGE_CHARACTERS = 40_000;

/** Puts the images' ends into the evidence store, page by page as they come, so that the workflow keeps none of them. */
export class Outcomes {
  #page: ImageRecord[] = [];
  #size = 0;
  readonly #writes: Promise<void>[] = [];
  /** Pages that the evidence store did not take in all the time that it was given. */
  readonly #refused: { page: number; records: ImageRecord[] }[] = [];

  /** Evidence keys of the pages so far. */
  readonly pages: string[] = [];

  constructor(private readonly runId: string) {}

  add(record: ImageRecord): void {
    const length = JSON.stringify(record).length;
    if (this.#page.length > 0 && this.#size + length > PAGE_CHARACTERS) this.#write();
    this.#page.push(record);
    this.#size += length;
  }

  /**
   * Writes what is left, and again what the evidence store did not take before; waits for all pages.
   *
   * @throws ActivityFailure when it took one of them not; the next flush sends that one again
   */
  async flush(): Promise<void> {
    if (this.#page.length > 0) this.#write();
    for (const { page, records } of this.#refused.splice(0)) this.#send(page, records);
    const ends = await Promise.allSettled(this.#writes.splice(0));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  #write(): void {
    const records = this.#page;
    const page = this.pages.length;
    this.pages.push(''); // its place: pages are numbered as they fill, and may be written out of order
    this.#page = [];
    this.#size = 0;
    this.#send(page, records);
  }

  #send(page: number, records: ImageRecord[]): void {
    const write = CancellationScope.nonCancellable(async () => {
      try {
        const { key } = await reporting.recordOutcomes.executeWithOptions({ summary: `page ${page + 1}` }, [
          { runId: this.runId, page, records },
        ]);
        this.pages[page] = key;
      } catch (error) {
        this.#refused.push({ page, records });
        throw error;
      }
    });
    write.catch(() => undefined); // `flush` throws it
    this.#writes.push(write);
  }
}
