/** Takes a figure every so often for as long as work goes on. @returns the figures, and what the work gave. */
export async function sampling<Sample, Result>(
  everyMs: number,
  measure: () => Sample,
  work: () => Promise<Result>,
): Promise<{ samples: Sample[]; result: Result }> {
  const samples = [measure()];
  const timer = setInterval(() => samples.push(measure()), everyMs);
  try {
    return { result: await work(), samples };
  } finally {
    clearInterval(timer);
  }
}
