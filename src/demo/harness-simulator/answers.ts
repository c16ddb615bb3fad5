import type { SimulatedConnector } from './state.js';

export interface Answer {
  status: number;
  /** Sent as JSON. */
  body: unknown;
}

/** Ids and times that a real Harness makes up; fixed, so that answers can be compared. */
const CORRELATION_ID = '00000000-0000-0000-0000-000000000000';
const AT = 1_700_000_000_000;

/** The envelope of a success. */
export const success = (data: unknown): Answer => ({
  status: 200,
  body: { status: 'SUCCESS', data, metaData: null, correlationId: CORRELATION_ID },
});

/** get-deprecated-config answers with a shorter envelope. */
export const deprecated = (data: unknown): Answer => ({ status: 200, body: { status: 'SUCCESS', data } });

/** A refusal as the CI service writes it. */
export const invalidRequest = (message: string): Answer => ({
  status: 400,
  body: {
    status: 'FAILURE',
    code: 'INVALID_REQUEST',
    message,
    correlationId: CORRELATION_ID,
    errors: [],
    responseMessages: [responseMessage('INVALID_REQUEST', message)],
  },
});

/** The same as the framework below it writes it. */
export const plainBadRequest = (message: string): Answer => ({ status: 400, body: { code: 400, message } });

/** Loud on purpose: the client sent what no document describes. */
export const undocumented = (what: string): Answer =>
  invalidRequest(`The simulator knows no such call: ${what}`);

export const unauthorized = (code: 'INVALID_TOKEN' | 'EXPIRED_TOKEN'): Answer => ({
  status: 401,
  body: error(code, code === 'EXPIRED_TOKEN' ? 'Token expired.' : 'Token is not valid.', null),
});

export const forbidden = (account: string, permission: string): Answer => ({
  status: 403,
  body: {
    ...error('NG_ACCESS_DENIED', `Missing permission ${permission} on account`, CORRELATION_ID),
    failedPermissionChecks: [
      {
        resourceScope: { accountIdentifier: account, orgIdentifier: null, projectIdentifier: null },
        resourceType: 'ACCOUNT',
        resourceIdentifier: account,
        permission,
      },
    ],
  },
});

export const notFound = (message: string): Answer => ({
  status: 404,
  body: error('RESOURCE_NOT_FOUND_EXCEPTION', message, CORRELATION_ID),
});

/** For faults: what Harness says when it breaks. */
export const serverError = (): Answer => ({
  status: 500,
  body: error(
    'UNKNOWN_ERROR',
    'Oops, something went wrong on our end. Please contact Harness Support.',
    CORRELATION_ID,
  ),
});

export const connectorAnswer = (connector: SimulatedConnector): Answer =>
  success({
    connector: {
      name: connector.name ?? connector.identifier,
      identifier: connector.identifier,
      description: '',
      tags: {},
      type: connector.type ?? 'DockerRegistry',
      spec: connector.spec ?? {
        dockerRegistryUrl: connector.dockerRegistryUrl,
        providerType: 'Other',
        auth: {
          type: 'UsernamePassword',
          spec: { username: 'robot', passwordRef: 'account.registry_password' },
        },
        delegateSelectors: [],
        executeOnDelegate: false,
      },
    },
    createdAt: AT,
    lastModifiedAt: AT,
    status: { status: 'SUCCESS', testedAt: AT, lastTestedAt: AT, lastConnectedAt: AT },
    harnessManaged: false,
  });

/** The outer status is SUCCESS even when the test failed. */
export const testAnswer = ({ testFailure }: SimulatedConnector): Answer =>
  success(
    testFailure === undefined
      ? { status: 'SUCCESS', testedAt: AT, delegateId: 'DELEGATE_ID' }
      : {
          status: 'FAILURE',
          errors: [{ reason: 'Unexpected Error', message: testFailure, code: 401 }],
          errorSummary: `Error Encountered (${testFailure})`,
          testedAt: AT,
        },
  );

const error = (code: string, message: string, correlationId: string | null) => ({
  status: 'ERROR',
  code,
  message,
  correlationId,
  detailedMessage: null,
  responseMessages: [responseMessage(code, message)],
  metadata: null,
});

const responseMessage = (code: string, message: string) => ({
  code,
  level: 'ERROR',
  message,
  exception: null,
  failureTypes: [],
});
