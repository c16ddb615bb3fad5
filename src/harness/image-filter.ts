import picomatch from 'picomatch';

/**
 * Globs over field names and image repositories. A pattern is tried on the field's name, on the repository as it is
 * named, and on its path without a host: `*Tag`, `harness/*`, `gcr.io/**`.
 *
 * @param includes lists that must each let an image through: a run's own narrows its template's. An empty one is open.
 * @returns whether an image (and the field that names it, if one does) is included and not excluded.
 */
export function createImageFilter(
  includes: readonly (readonly string[])[],
  exclude: readonly string[],
): (name: string, field: string | undefined) => boolean {
  const matchers = includes.filter((globs) => globs.length > 0).map((globs) => picomatch([...globs]));
  const excluded = exclude.length === 0 ? () => false : picomatch([...exclude]);
  return (name, field) => {
    const names = [...repositoryNames(name), ...(field === undefined ? [] : [field])];
    const included = matchers.every((matches) => names.some((text) => matches(text)));
    return included && !names.some((text) => excluded(text));
  };
}

/** Without tag and digest. Unreadable names are matched as they stand, so that they can be excluded too. */
function repositoryNames(name: string): string[] {
  const bare = name.replace(/@.*$/, '').replace(/:[^/]*$/, '');
  const [first = '', ...rest] = bare.split('/');
  return rest.length > 0 && /[.:]|^localhost$/.test(first) ? [bare, rest.join('/')] : [bare];
}
