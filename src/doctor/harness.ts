import { INPUT_DEFAULTS } from '../config/input-fields.js';
import type { DiscoveredImage } from '../contract/run.js';
import { checkAccount } from '../harness/account-check.js';
import type { HarnessClient } from '../harness/client.js';
import { valueFor } from '../harness/pull-path.js';
import { formatReference, parseReference } from '../registry/reference.js';
import type { AccountReading } from './account.js';
import { type Finding, fail, failure, notChecked, ok } from './finding.js';
import type { Situation } from './situation.js';

/** Whether Harness accepts the key and shows the account's images. */
export async function checkHarness(asked: Promise<AccountReading | null>): Promise<Finding> {
  try {
    const reading = await asked;
    if (reading === null) return notChecked('the environment does not say whom to ask, or with which key');
    const { client, answeredBy, configs } = reading;
    if (client === null) return ok('not asked: the template takes no images from Harness');
    const counts = configs.map((config) => ({
      infra: config.infra,
      fields: Object.keys(config.default).length,
    }));
    const shown = counts.map(({ infra, fields }) => `${fields} fields for ${infra}`).join(', ');
    const found = `${client.host} accepts the key of account ${client.account}; default images over ${answeredBy}: ${shown}`;
    const none = counts.find(({ fields }) => fields === 0);
    if (none === undefined) return ok(found);
    return fail(found, `set INFRA to what the account builds on: it has no images for ${none.infra}`);
  } catch (error) {
    return failure(error, 'check HARNESS_URL and the network from here to it');
  }
}

/** Whether builds could pull our copies with the connector. Nothing is changed: the test only tests. */
export async function checkConnector(
  client: HarnessClient | null | undefined,
  image: DiscoveredImage | undefined,
  { input, registry }: Situation,
  signal: AbortSignal,
): Promise<Finding> {
  const connector = input.registryConnector ?? '';
  if (client === undefined) return notChecked('Harness could not be asked');
  if (client === null) return ok(`${connector} is not needed: the template takes no images from Harness`);
  const valueStyle = input.valueStyle ?? INPUT_DEFAULTS.valueStyle;
  const target =
    registry === null
      ? null
      : (image?.target ?? formatReference(parseReference(`${registry}/harness/ci-addon:1`)));
  const [sample] = image?.fields ?? [];
  const updates =
    target === null || registry === null
      ? []
      : [
          {
            field: sample?.field ?? 'addonTag',
            before: null,
            target,
            value: valueFor(target, valueStyle, registry),
          },
        ];
  try {
    await checkAccount({ client, signal }, { connector, registry: registry ?? '', updates });
  } catch (error) {
    return failure(error, 'mend the connector in Harness, or name another one (REGISTRY_CONNECTOR)');
  }
  const works = `${connector} exists, is a Docker registry's, and passes its test`;
  if (target === null) return notChecked(`${works}, but there is no registry to compare its path with`);
  return ok(`${works}; Harness would pull ${target}`);
}
