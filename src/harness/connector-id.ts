import { FactoryError } from '../common/errors.js';
import { plain } from './text.js';

/** Harness's rule for identifiers of entities. */
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_$]{0,127}$/;

/**
 * The id of an account connector: `account.harnessImage` → `harnessImage`.
 *
 * @throws FactoryError `ConnectorUnusable` for connectors of an organisation or a project, and for anything else.
 */
export function accountConnectorId(reference: string): string {
  const [scope, id, ...rest] = reference.split('.');
  if (scope === 'account' && id !== undefined && rest.length === 0 && IDENTIFIER.test(id)) return id;
  const shown = JSON.stringify(plain(reference, '', 100));
  const why =
    scope === 'org' || IDENTIFIER.test(reference)
      ? `belongs to ${scope === 'org' ? 'an organisation' : 'a project'}, and the account's images need a connector of the account`
      : 'is no connector of the account';
  throw new FactoryError(
    'ConnectorUnusable',
    `The connector ${shown} ${why}; write it as account.<id>, e.g. account.harnessImage.`,
  );
}
