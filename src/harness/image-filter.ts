import picomatch from 'picomatch';

/**
 * Globs over field names and image repositories. A pattern is tried on the field's name, on the repository as it is
 * named, and on its path without a host: `*Tag`, `harness/*`, `gcr.io/**`.
 *
 * @returns whether an image (and the field that names it, if one does) is included and not excluded.
 */
export function createImageFilter(
  include: readonly string[],
  exclude: readonly string[],
): (name: string, field: string | undefined) => boolean {
  const included = include.length === 0 ? () => true : picomatch([...include]);
  const excluded = exclude.length === 0 ? () => false : picomatch([...exclude]);
  return (name, field) => {
    const names = [...repositoryNames(name), ...(field === undefined ? [] : [field])];
    return names.some((text) => included(text)) && !names.some((text) => excluded(text));
  };
}

/** Without tag and digest. Unreadable names are matched as they stand, so that they can be excluded too. */
function repositoryNames(name: string): string[] {
  const bare = name.replace(/@.*$/, '').replace(/:[^/]*$/, '');
  const [first = '', ...rest] = bare.split('/');
  return rest.length > 0 && /[.:]|^localhost$/.test(first) ? [bare, rest.join('/')] : [bare];
}
