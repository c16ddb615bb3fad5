/** Makes random JSON texts, the same for the same seed (mulberry32), with the spellings that break naive editors. */
export function generator(seed: number) {
  let state = seed;
  const random = (below: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
  const pick = <T>(values: readonly [T, ...T[]]): T => values[random(values.length)] ?? values[0];
  const space = (): string => pick(['', '', '', ' ', '\n  ', '\t', '\r\n']);
  const scalar = (): string =>
    pick([
      'null',
      'true',
      'false',
      '-0',
      '9007199254740993',
      '1e400',
      '0.10',
      '""',
      '"\\u00e9\\ud83d\\ude00"',
      '"\\ud800"',
      '"é😀\u2028"',
      '"a\\\\\\"},{["',
      '"\\/"',
    ]);
  const wrapped = (text: string): string => `${space()}${text}${space()}`;
  const json = (depth: number): string => {
    if (depth === 0 || random(3) === 0) return scalar();
    return random(2) === 0 ? object(depth) : array(depth);
  };
  const array = (depth: number): string =>
    `[${space()}${Array.from({ length: random(4) }, () => wrapped(json(depth - 1))).join(',')}]`;
  const object = (depth: number): string => {
    const keys = ['"10"', '"2"', '"\\u006b"', '"é"', '"moby.x"', '""', '"a\\"b"'].filter(
      () => random(2) === 0,
    );
    return `{${space()}${keys.map((key) => `${wrapped(key)}:${wrapped(json(depth - 1))}`).join(',')}}`;
  };
  const knownKey = (text: string): string => {
    const keys = Object.keys(JSON.parse(text));
    return keys[random(keys.length)] ?? 'new';
  };
  return { json, object, knownKey };
}
